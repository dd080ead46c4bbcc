/** An element that the page can't do without. Throws if the HTML and the script no longer fit together. */
export function need<T extends Element>(selector: string, type: new () => T, root: ParentNode = document): T {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`No ${type.name} matches ${selector}`);
  return found;
}

/** An element with a class and a text. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = '',
  text = '',
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  if (text !== '') made.textContent = text;
  return made;
}

/** Sets the text only if it is another one: selections and screen readers are left alone. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** Colours it. */
export function setTone(target: HTMLElement, tone: string): void {
  if (target.dataset['tone'] !== tone) target.dataset['tone'] = tone;
}

/**
 * Makes a parent's children these items, in this order: an element is made once per key, updated in place, and moved only
 * when the order changed. So focus and selections survive an update.
 */
export function keyedList<Item, Child extends HTMLElement>(
  parent: Element,
  keyOf: (item: Item) => string,
  create: (item: Item) => Child,
  update: (child: Child, item: Item) => void,
): (items: readonly Item[]) => void {
  let children = new Map<string, Child>();
  return (items) => {
    const next = new Map<string, Child>();
    let place = parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      const child = children.get(key) ?? create(item);
      children.delete(key);
      next.set(key, child);
      update(child, item);
      if (child === place) place = place.nextElementSibling;
      else parent.insertBefore(child, place);
    }
    for (const gone of children.values()) gone.remove();
    children = next;
  };
}

/** A row of a table whose cells have these classes. */
export function tableRow(...classes: readonly string[]): HTMLTableRowElement {
  const row = element('tr');
  row.append(...classes.map((className) => element('td', className)));
  return row;
}

/** Sets the texts of a row's cells; a cell that is cut off shows its whole text as a title. */
export function setCells(row: HTMLTableRowElement, texts: readonly string[]): void {
  for (const [i, text] of texts.entries()) {
    const cell = row.cells[i];
    if (cell === undefined) continue;
    setText(cell, text);
    if (cell.classList.contains('wide') && cell.title !== text) cell.title = text;
  }
}

/** Pairs of names and figures in a `dl`, updated in place. */
export function figures(list: Element): (pairs: readonly Figure[]) => void {
  return keyedList<Figure, HTMLDivElement>(
    list,
    ({ name }) => name,
    ({ name }) => {
      const pair = element('div');
      pair.append(element('dt', '', name), element('dd'));
      return pair;
    },
    (pair, { text, tone = '' }) => {
      const value = need('dd', HTMLElement, pair);
      setText(value, text);
      setTone(value, tone);
    },
  );
}

export interface Figure {
  readonly name: string;
  readonly text: string;
  readonly tone?: '' | 'warn' | 'bad';
}
