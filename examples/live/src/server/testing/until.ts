import { DEADLINE } from '../../../../../scripts/deadline.ts';

/** Waits until a condition holds, checking again and again. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`Not so within ${DEADLINE} ms: ${isSo.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
