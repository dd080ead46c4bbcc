import { createCaller } from '../harness/http.ts';
import { createPublisher } from '../harness/publisher.ts';
import type { Subject } from '../harness/subject.ts';
import { sendLoop } from './send-loop.ts';

/** The floor of servers: the same loop, which gets its events by POST. */
export const sendLoopHttp: Subject = {
  ...sendLoop,
  async start() {
    const server = await sendLoop.start();
    const { call, close } = createCaller(server.port);
    const publish = createPublisher((data) => call('/', data));
    return {
      ...server,
      publish: async (pace) => void (await publish(pace)),
      async stop() {
        close();
        await server.stop();
      },
    };
  },
};
