import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Frees unreferenced memory, for tests that look at memory. */
export const collectGarbage = runInNewContext('gc') as () => void;
