import { describe, it } from 'vitest';
import { checks } from '../../../test/event-source/checks.ts';
import { createScriptServer } from '../../../test/event-source/server.ts';
import { listen } from '../../../test/http/server.ts';
import { EventSource } from './event-source.ts';

describe('EventSource', () => {
  for (const [name, check] of Object.entries(checks)) {
    it(name, async () => {
      const { url, port } = await listen(createScriptServer());
      await check({
        EventSource,
        base: url,
        otherBase: `http://localhost:${port}`,
      });
    });
  }
});
