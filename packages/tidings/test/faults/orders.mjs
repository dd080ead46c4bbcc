// Commits rows with their events, and some of neither, until it is killed.
import pg from 'pg';
import { postgresLog } from 'tidings/postgres';

const [url, prefix] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url, max: 8 });
const log = await postgresLog({ pool });

async function order(name) {
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query('INSERT INTO orders (name) VALUES ($1)', [name]);
  await log.publishIn(client, { topics: 'orders', data: name, id: name, raw: true });
  await client.query(name.endsWith('7') ? 'ROLLBACK' : 'COMMIT');
  client.release();
}

async function orderOn(worker) {
  for (let i = 0; ; i += 1) await order(`${prefix}-${worker}-${i}`);
}

process.send({});
await Promise.all([0, 1, 2, 3].map(orderOn));
