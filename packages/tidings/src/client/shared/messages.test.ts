import { expect, it } from 'vitest';
import { isMessage, type Message } from './messages.ts';

const said = { term: 't.1', n: 1 };
const messages: Record<Message['type'], Message> = {
  lead: { ...said, type: 'lead' },
  joined: { ...said, type: 'joined', tab: 'a', request: 1, at: 'e.1' },
  refused: { ...said, type: 'refused', tab: 'a', request: 1 },
  events: { ...said, type: 'events', events: [], at: 'e.1' },
  down: { ...said, type: 'down', message: undefined, failed: false },
  pong: { ...said, type: 'pong' },
  join: { type: 'join', tab: 'a', request: 1, topics: ['x', { pattern: 'y/*' }], at: 'e.1' },
  leave: { type: 'leave', tab: 'a' },
  ping: { type: 'ping' },
};

it('everything that tabs tell each other is a message, and nothing that lacks a part of one', () => {
  for (const message of Object.values(messages)) {
    expect(isMessage(message)).toBe(true);
    for (const part of Object.keys(message).filter((name) => name !== 'message')) {
      expect([part, isMessage({ ...message, [part]: null })]).toEqual([part, false]);
      expect([part, isMessage({ ...message, [part]: undefined })]).toEqual([part, false]);
    }
  }
});

it('what is in its lists is checked, too', () => {
  const event = { topics: ['a'], type: 'message', data: '1', id: 'e.1' };
  for (const events of [[event], [{ ...event, topics: undefined }]])
    expect(isMessage({ ...messages.events, events })).toBe(true);
  const wrong = [null, 7, {}, { ...event, topics: 'a' }, { ...event, topics: [7] }, { ...event, data: 1 }];
  for (const one of wrong) expect(isMessage({ ...messages.events, events: [event, one] })).toBe(false);
  for (const topics of [[null], [7], [{}], { length: 1 }])
    expect(isMessage({ ...messages.join, topics })).toBe(false);
});

it('what other scripts write into the channel is no message', () => {
  for (const value of [undefined, null, 7, 'ping', [], {}, { type: 'toString' }, { type: ['ping'] }])
    expect(isMessage(value)).toBe(false);
});
