// Reads a page that takes its reader through a terminal: files, commands, and what they print.
//
// A ```sh block goes on with `run` (it ends by itself, with exit code 0) or `start` (it runs on, in a terminal of its own). A
// ```text block right after it is what it prints, with `…` for what differs each time.

/**
 * @typedef {object} Step
 * @property {'run' | 'start'} kind
 * @property {string} command
 * @property {string | undefined} output what it prints
 * @property {number} line of the page
 */

const block = /^```(?<info>[^\n]*)\n(?<body>[\s\S]*?)^```[ \t]*$/gm;

/**
 * @param {string} markdown
 * @returns {Step[]}
 */
export function extractSteps(markdown) {
  /** @type {Step[]} */
  const steps = [];
  /** @type {number | undefined} where the last command's block ended */
  let end;
  for (const { 0: whole, index, groups: { info = '', body = '' } = {} } of markdown.matchAll(block)) {
    const [language, kind] = info.trim().split(/\s+/);
    const last = steps.at(-1);
    if (language === 'sh' && (kind === 'run' || kind === 'start')) {
      steps.push({
        kind,
        command: body.trim(),
        output: undefined,
        line: markdown.slice(0, index).split('\n').length,
      });
      end = index + whole.length;
      continue;
    }
    if (
      language === 'text' &&
      last !== undefined &&
      end !== undefined &&
      markdown.slice(end, index).trim() === ''
    ) {
      last.output = body.trim();
    }
    end = undefined;
  }
  return steps;
}

/**
 * @param {string} output
 * @param {string} expected with `…` for anything
 */
export function prints(output, expected) {
  const pattern = expected
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[\\s\\S]*?');
  return new RegExp(`^${pattern}`).test(output.trimStart());
}
