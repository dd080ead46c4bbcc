/** The model by itself, for other apps: `npm run model -w @tidings/example-chat`. */
import type { AddressInfo } from 'node:net';
import { createModel } from './completions.ts';

const server = createModel().app.listen(Number(process.env['PORT'] ?? 3010), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1\n`);
});
