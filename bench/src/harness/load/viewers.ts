/** Viewers of answers: counts the tokens that each gets, and how long the first one takes. */
import { type Socket, connect } from 'node:net';
import { answerCommands } from '../commands.ts';

export interface Watch {
  readonly port: number;
  /** The first answer's number, and how many there are. */
  readonly from: number;
  readonly answers: number;
  /** Of each answer: the one who asks, and those who follow once it has begun. */
  readonly viewers: number;
  /** Milliseconds in which all questions are asked. */
  readonly within: number;
}

export interface Progress {
  readonly open: number;
  readonly least: number;
  readonly most: number;
}

export interface FirstTokens {
  /** Milliseconds from the question to the first token, and from the model's first token until it was here. */
  readonly total: readonly number[];
  readonly delivery: readonly number[];
}

const TOKEN = '~'.charCodeAt(0);
let tokens: number[] = [];
let open = 0;
let first: { total: number[]; delivery: number[] } = { total: [], delivery: [] };

function view(port: number, method: string, name: number, onToken: () => void): Promise<void> {
  const index = tokens.push(0) - 1;
  const asked = process.hrtime.bigint();
  open += 1;
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.write(
      `${method} /${name} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    );
    socket.on('data', (bytes: Buffer) => {
      const before = tokens[index] ?? 0;
      let count = before;
      for (let at = bytes.indexOf(TOKEN); at !== -1; at = bytes.indexOf(TOKEN, at + 1)) count += 1;
      tokens[index] = count;
      if (before > 0 || count === 0) return;
      if (method === 'POST') note(asked, bytes.toString('latin1'));
      onToken();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      open -= 1;
      resolve();
    });
  });
}

function note(asked: bigint, text: string): void {
  const now = process.hrtime.bigint();
  const written = BigInt(/~(\d+) /.exec(text)?.[1] ?? 0);
  first.total.push(Number(now - asked) / 1e6);
  first.delivery.push(Number(now - written) / 1e6);
}

function watch({ port, from, answers, viewers, within }: Watch): void {
  tokens = [];
  first = { total: [], delivery: [] };
  for (let i = 0; i < answers; i += 1) {
    const name = from + i;
    const others = (): void => {
      for (let each = 1; each < viewers; each += 1) void view(port, 'GET', name, () => {});
    };
    setTimeout(() => void view(port, 'POST', name, others), (i * within) / answers);
  }
}

/** One question after the other. */
async function askInTurn({ port, from, answers }: Watch): Promise<FirstTokens> {
  tokens = [];
  first = { total: [], delivery: [] };
  for (let i = 0; i < answers; i += 1) await view(port, 'POST', from + i, () => {});
  return first;
}

answerCommands({
  watch,
  askInTurn,
  firstTokens: () => first,
  progress: (): Progress => ({ open, least: Math.min(...tokens), most: Math.max(...tokens) }),
  viewers: () => tokens.length,
});
