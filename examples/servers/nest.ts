import 'reflect-metadata';
import { All, BadRequestException, Controller, Inject, Module, Next, Post, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { type Hub, createHub } from 'tidings';
import { sse } from 'tidings/express';

@Controller()
class NewsController {
  readonly #events: RequestHandler;
  readonly #hub: Hub;

  constructor(@Inject('hub') hub: Hub) {
    this.#events = sse(hub);
    this.#hub = hub;
  }
  @All('events')
  events(@Req() req: Request, @Res() res: Response, @Next() next: NextFunction): unknown {
    return this.#events(req, res, next);
  }
  @Post('news')
  async publish(@Req() { body }: Request): Promise<{ cursor: string }> {
    const title = (body as { title?: unknown } | undefined)?.title;
    if (typeof title !== 'string') throw new BadRequestException();
    const { cursor } = await this.#hub.publish('news', { title });
    return { cursor };
  }
  async beforeApplicationShutdown(): Promise<void> {
    await this.#hub.close();
  }
}

@Module({ controllers: [NewsController], providers: [{ provide: 'hub', useFactory: () => createHub() }] })
class NewsModule {}

const app = await NestFactory.create(NewsModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks([], { useProcessExit: true });
const port = Number(process.env['PORT'] ?? 3000);
await app.listen(port);
console.log(`http://localhost:${port}`);
