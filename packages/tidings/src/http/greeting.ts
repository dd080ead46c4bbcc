import { assertDirectEvent, encodeDirectEvent } from '../hub/direct-event.ts';
import { createError } from '../protocol/errors.ts';
import { assertNoPromise, describe, invalidOption } from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';

/** The frames of the events that `greeting` returned. */
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
  assertDirectEvent(greeting, 'greeting().', invalidOption);
  try {
    return encodeDirectEvent(greeting);
  } catch (cause) {
    // The error's own status blames a publisher, but here neither a publisher nor the client did anything wrong.
    const reason = cause instanceof TidingsError ? cause.message : String(cause);
    throw createError('hub/invalid-option', `What \`greeting\` returned can't be sent. ${reason}`, {
      details: { option: 'greeting' },
      cause,
    });
  }
}
