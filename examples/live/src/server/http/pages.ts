import { join } from 'node:path';
import express from 'express';
import type { RequestHandler, Router } from 'express';
import { NOT_FOUND_PAGE, PAGES } from '../../shared/api.ts';
import { compressedFiles, preferCompressed } from './compressed.ts';
import { identifyVisitor } from './visitor.ts';
import { HttpProblem, methodNotAllowed } from './problem.ts';

const YEAR = 31_536_000_000;

/** Serves the pages that Vite built. */
export function pages(folder: string): Router {
  const router = express.Router();
  const files = compressedFiles(folder);
  for (const [path, file] of Object.entries(PAGES)) {
    router
      .route(path)
      .get(identifyVisitor, (_request, response, next) => {
        // The page names its scripts by hash, so it must never be older than they are.
        const options = {
          root: folder,
          cacheControl: false,
          headers: { 'Cache-Control': 'private, no-cache' },
        };
        response.sendFile(files.choose(response, file), options, (error) => {
          // The browser went away, and no client is left to answer.
          if (error === undefined || response.headersSent || isAborted(error)) return;
          next(isMissing(error) ? notBuilt(error) : error);
        });
      })
      .all(methodNotAllowed('GET'));
  }
  // Vite puts a hash of the content into these names.
  router.use(
    '/assets',
    preferCompressed(files, 'assets/'),
    express.static(join(folder, 'assets'), { immutable: true, maxAge: YEAR, index: false }),
  );
  router.use(
    preferCompressed(files),
    express.static(folder, { index: false, redirect: false, cacheControl: false, setHeaders: revalidate }),
  );
  return router;
}

/** Shows people a page for unknown addresses. Programs, and browsers that want a script or a picture, get a problem. */
export function notFoundPage(folder: string): RequestHandler {
  return (request, response, next) => {
    if (request.method !== 'GET' || request.accepts(['json', 'html']) !== 'html') return next();
    response.status(404).set('Cache-Control', 'no-store');
    response.sendFile(
      NOT_FOUND_PAGE,
      { root: folder, cacheControl: false, etag: false, lastModified: false },
      (error) => {
        if (error === undefined || response.headersSent || isAborted(error)) return;
        next(isMissing(error) ? undefined : error);
      },
    );
  };
}

function revalidate(response: express.Response): void {
  response.set('Cache-Control', 'no-cache');
}

/** Express' code for a connection that was gone before the file was. */
function isAborted(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === 'ECONNABORTED';
}

function isMissing(error: unknown): boolean {
  return (error as { status?: unknown }).status === 404;
}

function notBuilt(cause: unknown): HttpProblem {
  return new HttpProblem(503, 'pages/not-built', 'The pages are not built yet: run `npm run build`.', {
    cause,
  });
}
