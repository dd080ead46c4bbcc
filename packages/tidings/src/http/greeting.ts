import { createError } from '../protocol/errors.ts';
import { encodeFrame } from '../protocol/encode.ts';
import { checkType, encodeData } from '../protocol/event.ts';
import {
  type Checks,
  aBoolean,
  aString,
  assertNoPromise,
  assertOptions,
  describe,
  invalidOption,
} from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { Greeting } from './handler-options.ts';

export const GREETING: Checks<Greeting> = {
  data: { expected: 'what JSON can say', accepts: () => true },
  type: aString,
  raw: aBoolean,
};

/** The frames of what `greeting` returned. They have no `id:`, so the client's cursor stays where it is. */
export function encodeGreeting(answer: unknown): string {
  assertNoPromise('greeting', answer);
  if (answer === undefined) return '';
  const greetings: readonly unknown[] = Array.isArray(answer) ? answer : [answer];
  return greetings.map(encodeOne).join('');
}

function encodeOne(greeting: unknown): string {
  if (typeof greeting !== 'object' || greeting === null || !('data' in greeting)) {
    throw invalidOption(
      'greeting',
      `Expected \`greeting\` to return { data, type?, raw? }, a list of these, or undefined; got ${describe(greeting)}.`,
    );
  }
  assertOptions(greeting as Greeting, GREETING, 'greeting().');
  const { type, data, raw = false } = greeting as Greeting;
  try {
    return encodeFrame({
      type: type === undefined ? undefined : checkType(type),
      data: encodeData(data, raw),
    });
  } catch (cause) {
    // It has a status for publishers, and the client did nothing wrong.
    const reason = cause instanceof TidingsError ? cause.message : String(cause);
    throw createError('hub/invalid-option', `What \`greeting\` returned can't be sent. ${reason}`, {
      details: { option: 'greeting' },
      cause,
    });
  }
}
