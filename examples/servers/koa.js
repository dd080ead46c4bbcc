import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import Koa from 'koa';
import { createHub } from 'tidings';
import { sse } from 'tidings/koa';

const hub = createHub();
const app = new Koa();
const router = new Router();
router.all('/events', sse(hub));
router.post('/news', async (context) => {
  const title = context.request.body?.title;
  if (typeof title !== 'string') context.throw(400);
  const { cursor } = await hub.publish('news', { title });
  context.status = 201;
  context.body = { cursor };
});
app.use(bodyParser()).use(router.routes());

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`http://localhost:${server.address().port}`);
});
process.once('SIGTERM', async () => {
  await hub.close();
  server.close();
});
