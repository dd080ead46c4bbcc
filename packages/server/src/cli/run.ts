import { parseArgs } from 'node:util';
import { TidingsError } from 'tidings';
import { likelyName } from 'tidings/transport';
import { VERSION } from '../version.ts';
import { type Command, type Terminal, UsageError, parseArgsOptions } from './command.ts';
import { helpOf, overview } from './help.ts';

/** Loaded one at a time: most need nothing of the server, and a health check runs every few seconds. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('../commands/serve.ts')).serve,
  publish: async () => (await import('../commands/publish.ts')).publish,
  subscribe: async () => (await import('../commands/subscribe.ts')).subscribe,
  token: async () => (await import('../commands/token.ts')).token,
  revoke: async () => (await import('../commands/revoke.ts')).revoke,
  health: async () => (await import('../commands/health.ts')).health,
  config: async () => (await import('../commands/config.ts')).config,
  init: async () => (await import('../commands/init.ts')).init,
  doctor: async () => (await import('../commands/doctor.ts')).doctor,
};

/** @returns the exit status: 0 if all is well, 1 if the command found or met a problem, 2 if the command line is wrong. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name = 'help', ...rest] = args;
  if (name === '--version' || name === '-v') {
    terminal.out(`${VERSION}\n`);
    return 0;
  }
  if (name === 'help' || name === '--help' || name === '-h') return help(rest[0], terminal);
  const command = await commandOf(name);
  if (command === undefined) return help(name, terminal);
  try {
    assertKnownFlags(name, command, rest);
    const { values, positionals } = parseArgs({
      args: rest,
      allowPositionals: true,
      options: {
        ...parseArgsOptions(command.flags),
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values['help'] === true) return await help(name, terminal);
    if (command.positionals === '' && positionals.length > 0) {
      throw new UsageError(
        `Expected nothing after "tidings ${name}", got ${JSON.stringify(positionals[0])}.`,
      );
    }
    return await command.run({ flags: values, positionals }, terminal);
  } catch (error) {
    if (error instanceof TidingsError) {
      terminal.err(`${error.message}${reasonOf(error)} (${error.code})\n`);
      return 1;
    }
    if (!isUsageError(error)) throw error;
    terminal.err(`${error.message}\nTry: tidings help ${name}\n`);
    return 2;
  }
}

/** The reason why a log can't be opened: a refused password, say. Other errors give theirs in the message. */
function reasonOf({ code, cause }: TidingsError): string {
  return code === 'log/unavailable' && cause instanceof Error && cause.message !== ''
    ? ` ${cause.message}`
    : '';
}

/** `parseArgs` doesn't say which flag was likely meant. */
function assertKnownFlags(name: string, { flags }: Command, args: readonly string[]): void {
  const known = [...Object.keys(flags), 'help'];
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: { ...parseArgsOptions(flags), help: { type: 'boolean', short: 'h' } },
  });
  for (const token of tokens) {
    if (token.kind !== 'option' || known.includes(token.name)) continue;
    const likely = likelyName(token.name, known);
    // `--port` is what everybody tries first, for `--listen-port`.
    const longer = known.filter((flag) => flag.endsWith(`-${token.name}`));
    const advised = likely === undefined ? longer : [likely];
    const advice =
      advised.length === 0 ? '' : ` Did you mean ${advised.map((flag) => `--${flag}`).join(' or ')}?`;
    throw new UsageError(`"tidings ${name}" has no flag ${token.rawName}.${advice}`);
  }
}

async function commandOf(name: string): Promise<Command | undefined> {
  return Object.hasOwn(commands, name) ? commands[name]?.() : undefined;
}

async function help(name: string | undefined, terminal: Terminal): Promise<number> {
  if (name === undefined) {
    terminal.out(await overviewOfAll());
    return 0;
  }
  const command = await commandOf(name);
  if (command === undefined) {
    const likely = likelyName(name, Object.keys(commands));
    terminal.err(
      likely === undefined
        ? `There is no command ${JSON.stringify(name)}.\n\n${await overviewOfAll()}`
        : `There is no command ${JSON.stringify(name)}. Did you mean ${likely}?\nTry: tidings help\n`,
    );
    return 2;
  }
  terminal.out(helpOf(name, command));
  return 0;
}

async function overviewOfAll(): Promise<string> {
  const loaded = Object.entries(commands).map(async ([name, load]) => [name, await load()] as const);
  return overview(Object.fromEntries(await Promise.all(loaded)));
}

/** `parseArgs` throws a TypeError with a code of this family. */
function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
}
