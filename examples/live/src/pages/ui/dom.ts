/** An element that the page can't do without. Throws if the HTML and the script no longer fit together. */
export function need<T extends Element>(root: ParentNode, selector: string, type: new () => T): T {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`No ${type.name} matches ${selector}`);
  return found;
}

/** A copy of the content of `<template id="…">`. */
export function fromTemplate<T extends Element>(id: string, type: new () => T): T {
  const template = need(document, `#${id}`, HTMLTemplateElement);
  const copy = document.importNode(template.content, true).firstElementChild;
  if (!(copy instanceof type)) throw new Error(`The template ${id} does not begin with a ${type.name}`);
  return copy;
}

/** An element with a class and a text: scripts build nothing else without a template. */
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

export function setAttribute(target: Element, name: string, value: string | null): void {
  if (target.getAttribute(name) === value) return;
  if (value === null) target.removeAttribute(name);
  else target.setAttribute(name, value);
}

/** Shows another symbol of `icons.svg` in an icon. */
export function setIcon(icon: Element, name: string): void {
  setAttribute(need(icon, 'use', SVGUseElement), 'href', `/icons.svg#${name}`);
}

export interface KeyedList<Item> {
  /** Makes the list's children these items, in this order. */
  show(items: readonly Item[]): void;
}

/**
 * Children of an element, one per item: made once per key, updated in place, moved only when the order changed.
 * So focus, selections and running animations survive an update.
 */
export function keyedList<Item, Child extends HTMLElement>(
  parent: Element,
  keyOf: (item: Item) => string | number,
  create: (item: Item) => Child,
  update: (child: Child, item: Item) => void,
): KeyedList<Item> {
  let children = new Map<string | number, Child>();

  return {
    show(items) {
      const next = new Map<string | number, Child>();
      let place: Element | null = parent.firstElementChild;
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
    },
  };
}
