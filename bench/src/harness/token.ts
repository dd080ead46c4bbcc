import { createHmac } from 'node:crypto';

/** A JWT signed with HS256. */
export function signToken(
  claims: Readonly<Record<string, unknown>>,
  secret: string,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const head = encode({ alg: 'HS256', ...header });
  const signed = `${head}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
