/** How a model of the stand-in writes, and how it fails. */
export interface Manner {
  readonly id: string;
  /** Tokens a second. */
  readonly speed: number;
  /** Milliseconds until the first token. */
  readonly thinks: number;
  /** How it fails: in the middle of an answer, or by never writing anything. */
  readonly fails?: 'halfway' | 'silent';
}

export const MODELS: readonly Manner[] = [
  { id: 'tide', speed: 50, thinks: 400 },
  { id: 'tide-fast', speed: 300, thinks: 100 },
  { id: 'tide-slow', speed: 8, thinks: 1500 },
  { id: 'tide-flaky', speed: 40, thinks: 400, fails: 'halfway' },
  { id: 'tide-silent', speed: 40, thinks: 0, fails: 'silent' },
];
