import { hueOf } from '../lib/text.ts';
import { setText } from './dom.ts';

const HUES = 8;

/** Makes a `.avatar` the one of this name. */
export function setAvatar(avatar: HTMLElement, name: string): void {
  setText(avatar, name.slice(0, 1));
  avatar.dataset['hue'] = String(hueOf(name, HUES));
}
