import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { forbidden, unauthorized } from 'tidings';
import { createError } from 'tidings/transport';
import type { Settings } from '../config/setting.ts';
import { adminToken } from './settings.ts';

const MIN_LENGTH = 24;

/**
 * The token of a server in development mode: the same after a restart, so an open console goes on.
 */
export function developmentAdminToken(key: Uint8Array): string {
  return hash(key, 'tidings: the admin API').toString('base64url');
}

/** @throws {TidingsError} `config/invalid` if it is too short to resist guessing. */
export function adminTokenOf(settings: Settings, developmentKey: Uint8Array | undefined): string | undefined {
  const token = settings.get(adminToken)?.trim();
  if (token !== undefined && token.length < MIN_LENGTH) {
    throw createError(
      'config/invalid',
      `\`${adminToken.name}\` has ${token.length} characters; it needs ${MIN_LENGTH} or more.`,
      { details: { setting: adminToken.name } },
    );
  }
  return token ?? (developmentKey && developmentAdminToken(developmentKey));
}

/** @throws {TidingsError} `auth/unauthorized`, or `auth/forbidden` if there is no token that would do. */
export function assertAdmin(request: FastifyRequest, token: string | undefined): void {
  if (token === undefined)
    throw forbidden(`The admin API is off: this server has no \`${adminToken.name}\`.`);
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (given === undefined)
    throw unauthorized(`Send the server's \`${adminToken.name}\` as \`Authorization: Bearer …\`.`);
  // Hashes have one length, and comparing them tells nothing about the token.
  const key = Buffer.from('tidings');
  if (!timingSafeEqual(hash(key, given), hash(key, token)))
    throw unauthorized('This is not the token of the admin API.');
}

function hash(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
