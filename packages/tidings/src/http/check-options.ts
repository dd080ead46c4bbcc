import { invalidOption } from '../protocol/options.ts';
import { assertCors } from './cors.ts';
import type { HandlerOptions } from './handler-options.ts';

/** What types can't tell a caller without them. @throws {TidingsError} `hub/invalid-option`. */
export function assertHandlerOptions<Req>(options: HandlerOptions<Req>): void {
  const { topics, cors } = options;
  if (topics !== undefined && typeof topics !== 'function' && !Array.isArray(topics)) {
    throw invalidOption('topics', '`topics` is a list of topics, or a function that gives one.');
  }
  for (const name of ['authorize', 'greeting', 'onConnect', 'address'] as const) {
    const hook = options[name];
    if (hook !== undefined && typeof hook !== 'function')
      throw invalidOption(name, `\`${name}\` is a function.`);
  }
  if (cors !== undefined) assertCors(cors);
}
