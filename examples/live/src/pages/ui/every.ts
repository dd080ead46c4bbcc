/** Runs `tick` at once and then every `ms` while the page is visible, and as soon as it is visible again. */
export function every(ms: number, tick: () => void): void {
  const run = (): void => {
    if (!document.hidden) tick();
  };
  run();
  setInterval(run, ms);
  document.addEventListener('visibilitychange', run);
}
