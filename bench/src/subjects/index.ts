import { centrifugo } from './centrifugo.ts';
import { mercure } from './mercure.ts';
import { nchan } from './nchan.ts';
import { sendLoopHttp } from './send-loop-http.ts';
import { sendLoop } from './send-loop.ts';
import { tidingsServe } from './tidings-serve.ts';
import { type Subject, nodeSubject } from '../harness/subject.ts';

export { sendLoop } from './send-loop.ts';

export const tidings: Subject = nodeSubject('tidings', 'subjects/tidings.js');
/** With a socket of the stream's own, taken over from `node:http`. */
export const hijacked: Subject = nodeSubject('tidings, hijack', 'subjects/tidings.js', ['hijack']);
export const resWriteLoop: Subject = nodeSubject('res.write loop (Express)', 'subjects/res-write-loop.js');

export const betterSse: Subject = nodeSubject('better-sse', 'subjects/better-sse.js');

/** In the order of the tables. */
export const subjects: readonly Subject[] = [sendLoop, resWriteLoop, betterSse, nchan, tidings, hijacked];

export const bareWriteLoop: Subject = nodeSubject('bare write loop', 'subjects/bare-write-loop.js');

/** The subjects that speak TLS and HTTP/2. */
export const secureSubjects: readonly Subject[] = [
  bareWriteLoop,
  nodeSubject('res.write loop', 'subjects/res-write-plain.js'),
  betterSse,
  nchan,
  tidings,
];

/** Servers of their own, which get their events over HTTP. */
export const serverSubjects: readonly Subject[] = [sendLoopHttp, nchan, mercure, centrifugo, tidingsServe];
