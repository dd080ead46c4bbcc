// Packs the packages and puts them next to the Dockerfile: a folder to build the server's image from, with any tool.
//   npm run image                       # prints the folder
//   docker build -t tidings:local "$(npm run --silent image)"
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packAll } from './packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'release/image');
rmSync(folder, { recursive: true, force: true });
packAll(root, folder);
copyFileSync(join(root, 'deploy/docker/Dockerfile'), join(folder, 'Dockerfile'));
console.log(folder);
