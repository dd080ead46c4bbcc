'use client';

export { useConnection, type ConnectionResult } from './hooks.ts';
export { useEvent, useEventReducer, useLatest, useList, usePresence, useStates } from './untyped-hooks.ts';
export type {
  EventHookOptions,
  LatestOptions,
  ListOptions,
  ListResult,
  LoadedItems,
  OneOrMore,
  PresenceOptions,
  ReducerOptions,
  ReducerResult,
  StatesOptions,
} from './options.ts';
export { TidingsProvider, type TidingsProviderProps } from './provider.ts';
export type { Load, LoadContext, Loaded, Reduce, Reduction } from './reduced.ts';
export { typedHooks, type TypedHooks } from './typed-hooks.ts';
export type { KeyNames, Presence, PresentMember } from './values.ts';
