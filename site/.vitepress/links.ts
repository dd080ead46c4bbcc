import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { MarkdownRenderer } from 'vitepress';
import { addressOf, root } from './pages.ts';

/** The Markdown file is `realPath` when pages are made, and `path` when they are searched. */
interface Environment {
  readonly realPath?: string;
  readonly path?: string;
}

/**
 * Makes the links and drawings that work on GitHub work here. Links between files of the repository lead to their pages, or to
 * copies of files that aren't pages. Drawings become part of the page, where they follow its colours.
 *
 * @param onFile is called with `/files/…` for each file that has to be copied
 */
export function repositoryLinks(md: MarkdownRenderer, base: string, onFile: (address: string) => void): void {
  md.core.ruler.push('repository-links', (state) => {
    const { realPath, path = '' } = state.env as Environment;
    const source = posix.relative(root, realPath ?? path);
    for (const token of state.tokens.flatMap(({ children }) => children ?? [])) {
      if (token.type !== 'link_open') continue;
      const href = token.attrGet('href') ?? '';
      if (href.startsWith('#') || href.startsWith('/') || /^[a-z][a-z+.-]*:/i.test(href)) continue;
      const address = addressOf(source, href);
      if (address === undefined) throw new Error(`${source}: the link \`${href}\` leads to nothing.`);
      if (!address.startsWith('/files/')) token.attrSet('href', address);
      else {
        onFile(address);
        token.attrSet('href', base + address.slice(1));
        // VitePress takes it for no page of its own.
        token.attrSet('target', '_self');
      }
    }
  });

  const { image } = md.renderer.rules;
  md.renderer.rules.image = (tokens, index, options, env, self) => {
    const token = tokens[index];
    const src = token?.attrGet('src') ?? '';
    const { realPath } = env as Environment;
    if (token === undefined || realPath === undefined || !src.endsWith('.svg')) {
      return image?.(tokens, index, options, env, self) ?? '';
    }
    const alt = self.renderInlineAsText(token.children ?? [], options, env);
    return inline(readFileSync(join(posix.dirname(realPath), src), 'utf8'), alt);
  };
}

/** A drawing without the rule that makes it follow the reader's system, which is the page's business. */
function inline(svg: string, alt: string): string {
  const text = svg
    .replace(/:root\s*\{[^}]*\}/, '')
    .replace('<style>', '<component is="style">')
    .replace('</style>', '</component>');
  const label = alt.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
  const drawing = text.trim().replace('<svg ', `<svg role="img" aria-label="${label}" `);
  // Scrolls on a phone, so the keyboard has to reach it.
  return `<span class="drawing" style="display: block" tabindex="0" role="group" aria-label="Drawing">${drawing}</span>`;
}

/** Lists of boxes to tick, as GitHub shows them: `- [ ] …`. */
export function taskLists(md: MarkdownRenderer): void {
  md.core.ruler.push('task-lists', ({ tokens }) => {
    for (const [index, token] of tokens.entries()) {
      const [text] = token.children ?? [];
      const item = tokens[index - 2];
      if (text === undefined || item?.type !== 'list_item_open' || !text.content.startsWith('[ ] ')) continue;
      text.content = text.content.slice(4);
      item.attrJoin('class', 'task');
    }
  });
}

/** An empty cell in the head of a table is no heading of anything. */
export function emptyHeads(md: MarkdownRenderer): void {
  md.core.ruler.push('empty-heads', ({ tokens }) => {
    for (const [index, token] of tokens.entries()) {
      const [text, end] = [tokens[index + 1], tokens[index + 2]];
      if (token.type !== 'th_open' || text?.content !== '' || end === undefined) continue;
      token.tag = 'td';
      end.tag = 'td';
    }
  });
}
