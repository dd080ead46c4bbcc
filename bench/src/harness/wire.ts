import { generate } from 'selfsigned';

/** The protocol under the streams: HTTP/1.1, the same over TLS, or HTTP/2 over TLS. */
export type Wire = 'http' | 'tls' | 'http2';

const PREFIX = 'wire=';

/** The argument that selects a subject's wire. */
export function wireArgument(wire: Wire): string {
  return PREFIX + wire;
}

export function wireOf(args: readonly string[]): Wire {
  const found = args.find((arg) => arg.startsWith(PREFIX))?.slice(PREFIX.length);
  return found === 'tls' || found === 'http2' ? found : 'http';
}

/** Made anew for each subject, of a kind that costs little. */
export async function makeCertificate(): Promise<{ readonly key: string; readonly cert: string }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
  });
  return { key, cert };
}
