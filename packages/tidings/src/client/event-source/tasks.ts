/**
 * The standard queues a task for each event, and all promise callbacks run between two tasks. Code such as
 * `await once(source, 'message')` in a loop counts on that: whatever it awaits in between, the next event waits.
 *
 * Timers won't do where there is something better: browsers stretch nested ones to 4 ms.
 */
export const queueTask: (task: () => void) => void = chooseQueue();

function chooseQueue(): (task: () => void) => void {
  const { setImmediate, MessageChannel } = globalThis as {
    setImmediate?: (task: () => void) => void;
    MessageChannel?: typeof globalThis.MessageChannel;
  };
  if (setImmediate !== undefined || MessageChannel === undefined) return setImmediate ?? setTimeout;
  // Opened on first use: importing this file has no effect.
  let channel: MessageChannel | undefined;
  const tasks: (() => void)[] = [];
  return (task) => {
    if (channel === undefined) {
      channel = new MessageChannel();
      channel.port1.onmessage = () => tasks.shift()?.();
    }
    tasks.push(task);
    channel.port2.postMessage(0);
  };
}
