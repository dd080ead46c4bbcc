import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import express from 'express';
import type { Response, Router } from 'express';
import { SOURCE } from '../../shared/api.ts';

/** `examples/live`, from `dist/server/http` as well as from `src/server/http`. */
const app = fileURLToPath(new URL('../../../', import.meta.url));

/** The folders and files of the repository that visitors may read, by their names below `/source`. */
const READABLE: Readonly<Record<string, string>> = {
  app: `${app}src`,
  docs: `${app}../../docs`,
  'PROTOCOL.md': `${app}../../PROTOCOL.md`,
};

/** Shows the app's own code and the library's documentation, as text. Where they weren't deployed, there is nothing. */
export function source(): Router {
  const router = express.Router();
  for (const [name, path] of Object.entries(READABLE)) {
    if (!existsSync(path)) continue;
    router.use(
      `${SOURCE}/${name}`,
      express.static(path, { index: false, redirect: false, cacheControl: false, setHeaders: asText }),
    );
  }
  return router;
}

function asText(response: Response): void {
  response.set('Cache-Control', 'no-cache').type('text/plain');
}
