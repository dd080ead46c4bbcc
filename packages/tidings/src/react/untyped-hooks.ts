import { createHooks, type Hooks } from './hooks.ts';
import { PLAIN } from './store.ts';

const hooks: Hooks = createHooks(PLAIN);

export const useLatest: Hooks['useLatest'] = hooks.useLatest;
export const useStates: Hooks['useStates'] = hooks.useStates;
export const useList: Hooks['useList'] = hooks.useList;
export const useEventReducer: Hooks['useEventReducer'] = hooks.useEventReducer;
export const useEvent: Hooks['useEvent'] = hooks.useEvent;
export const usePresence: Hooks['usePresence'] = hooks.usePresence;
