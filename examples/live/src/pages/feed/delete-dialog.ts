import { need, setText } from '../ui/dom.ts';

/** Asks before a post is deleted. */
export function confirmDelete(text: string): Promise<boolean> {
  const dialog = need(document, '#delete-dialog', HTMLDialogElement);
  setText(need(dialog, '[data-delete-text]', HTMLElement), text);
  // Escape doesn't change the return value, which would still be the last answer.
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'delete'), { once: true });
  });
}
