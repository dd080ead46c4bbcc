import { chromium, type Browser, type LaunchOptions } from 'playwright-core';
import type { TestContext } from 'vitest';
import { DEADLINE } from '../scripts/deadline.ts';
import { chromium as need } from '../scripts/needs.mjs';

/**
 * Starts the system's Chromium, or skips the test that asked for it, saying what to install.
 * playwright-core brings no browser of its own, so `npm ci` downloads none.
 */
export async function launchChromium(
  context: Pick<TestContext, 'skip'>,
  options: LaunchOptions = {},
): Promise<Browser> {
  const executablePath = need.find();
  if (executablePath === undefined) return context.skip(`${need.name} is missing: ${need.howTo}`);
  // Chromium refuses to sandbox itself as root, the usual user in a container.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args, timeout: DEADLINE, ...options });
}
