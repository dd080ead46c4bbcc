import { checkAnswer, checkStream, type Checkable } from './check.ts';
import { attackHttp1 } from './http1.ts';
import { attackHttp2 } from './http2.ts';
import type { Peer } from './peer.ts';
import type { Random } from './random.ts';
import { type FuzzRequest, makeChange, makeRequest } from './requests.ts';
import { checkServedAnswer, checkServedStream } from './served-check.ts';
import { makeServedRequest } from './served-requests.ts';
import { transports } from './transports.ts';
import type { Claim } from './values.ts';

/** A target of the attack, the requests to it, and the answers it may give. */
export interface Target {
  /** The process under attack, and its argument. */
  readonly script: string;
  readonly argument: string;
  readonly peer: Peer;
  /** How many of the peers are there at the same time: a session of HTTP/2 has several requests at once. */
  readonly share: number;
  makeRequest(random: Random, claims: readonly Claim[]): FuzzRequest;
  /** A change of a connection by the peer that opened it. */
  makeChange(random: Random, opened: FuzzRequest, claim: Claim): FuzzRequest;
  /** The kind of an answer, for the tally. Throws if the documents tell of none such. */
  checkAnswer(request: FuzzRequest, answer: Checkable): string;
  checkStream(request: FuzzRequest, text: string): Claim | undefined;
}

const library = {
  script: 'server.js',
  peer: attackHttp1,
  share: 1,
  makeRequest,
  makeChange,
  checkAnswer,
  checkStream: (_request: FuzzRequest, text: string) => checkStream(text),
};

const served: Target = {
  script: 'served.js',
  argument: '',
  // Without TLS, a server can speak both on one port.
  peer: (attack, random) => (random.chance(0.7) ? attackHttp1 : attackHttp2)(attack, random),
  share: 0.7,
  makeRequest: makeServedRequest,
  makeChange: (random, opened, claim) => ({ ...makeChange(random, opened, claim), target: '/v1/events' }),
  checkAnswer: checkServedAnswer,
  checkStream: checkServedStream,
};

/** By name: the transports of the library, and `server`: all doors of `tidings serve`. */
export const targets: Readonly<Record<string, Target>> = {
  ...Object.fromEntries(
    Object.keys(transports).map((name) => [
      name,
      name === 'http2'
        ? { ...library, argument: name, peer: attackHttp2, share: 0.25 }
        : { ...library, argument: name },
    ]),
  ),
  server: served,
};
