import { hub } from '$lib/server/hub.js';
import { json } from '@sveltejs/kit';

export async function POST({ request }) {
  const body = await request.json().catch(() => null);
  if (typeof body?.title !== 'string') return new Response(null, { status: 400 });
  const { cursor } = await hub.publish('news', { title: body.title });
  return json({ cursor }, { status: 201 });
}
