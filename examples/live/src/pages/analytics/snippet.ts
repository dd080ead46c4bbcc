import { ROUTES } from '../../shared/api.ts';
import { need, setText } from '../ui/dom.ts';

const SHOWN = 2_000;

/** The tag other sites include, and the button that copies it. */
export function startSnippet(): void {
  const code = need(document, '[data-snippet]', HTMLElement);
  const button = need(document, '[data-copy]', HTMLButtonElement);
  const label = need(button, '[data-copy-label]', HTMLElement);
  setText(code, `<script async src="${new URL(ROUTES.embed, location.origin).href}"></script>`);
  button.addEventListener('click', () => {
    void copy(code).then((copied) => {
      setText(label, copied ? 'Copied' : 'Press Ctrl+C');
      setTimeout(() => setText(label, 'Copy'), SHOWN);
    });
  });
}

/** The clipboard is there only on HTTPS and on localhost; elsewhere the text is left selected. */
async function copy(code: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    getSelection()?.selectAllChildren(code);
    return false;
  }
}
