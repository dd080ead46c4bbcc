import { readdirSync } from 'node:fs';
import { extname, sep } from 'node:path';
import type { RequestHandler, Response } from 'express';

/** By preference. Browsers accept Brotli over HTTPS only. */
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

/** Files of a folder that the build has also stored in compressed form. */
export interface CompressedFiles {
  /** Sets the headers of the form that a client accepts. @returns the name of the file to send */
  choose(response: Response, file: string): string;
}

export function compressedFiles(folder: string): CompressedFiles {
  const known = new Set(listFiles(folder));
  return {
    choose(response, file) {
      const forms = ENCODINGS.filter(([, extension]) => known.has(file + extension));
      if (forms.length === 0) return file;
      response.vary('Accept-Encoding');
      const form = forms.find(([encoding]) => response.req.acceptsEncodings(encoding) !== false);
      if (form === undefined) return file;
      response.type(extname(file)).set('Content-Encoding', form[0]);
      return file + form[1];
    },
  };
}

/** Leads requests for files to their compressed form. For `express.static`, which sees to the rest. */
export function preferCompressed(files: CompressedFiles, prefix = ''): RequestHandler {
  return (request, response, next) => {
    if (request.method === 'GET' || request.method === 'HEAD') {
      // Not by `URL`, which takes // for the beginning of a host.
      const [path = '', ...query] = request.url.split('?');
      const chosen = files.choose(response, prefix + path.slice(1)).slice(prefix.length);
      request.url = [`/${chosen}`, ...query].join('?');
    }
    next();
  };
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) =>
      file.replaceAll(sep, '/'),
    );
  } catch {
    return []; // It is not built yet, as pages will be told.
  }
}
