import { hub } from '$lib/server/hub.js';
import { sse } from 'tidings/fetch';

const events = sse(hub);
export const fallback = ({ request }) => events(request);
