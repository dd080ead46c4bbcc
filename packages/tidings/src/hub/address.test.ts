import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { groupOf } from './address.ts';

describe('an address', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7', false],
    ['::ffff:192.0.2.7', '192.0.2.7', false],
    ['::FFFF:c000:0207', '192.0.2.7', false],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', false],
    ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64', false],
    ['2001:db8::', '2001:db8:0:0::/64', false],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64', false],
    ['fe80::1%eth0', 'fe80:0:0:0::/64', true],
    ['::1', '0:0:0:0::/64', true],
    ['::', '0:0:0:0::/64', false],
    ['fd12::7', 'fd12:0:0:0::/64', true],
    ['127.0.0.1', '127.0.0.1', true],
    ['::ffff:10.1.2.3', '10.1.2.3', true],
    ['172.31.0.1', '172.31.0.1', true],
    ['172.32.0.1', '172.32.0.1', false],
    ['192.168.1.1', '192.168.1.1', true],
    ['100.64.0.1', '100.64.0.1', true],
    ['169.254.1.1', '169.254.1.1', true],
    ['unix:', 'unix:', false],
    ['1.2.3.400', '1.2.3.400', false],
    ['1:2:3', '1:2:3', false],
    ['1::2::3', '1::2::3', false],
    ['an account', 'an account', false],
  ])('%s counts as %s', (address, key, isPrivate) => {
    expect(groupOf(address)).toEqual({ key, isPrivate });
  });

  test('of IPv6 counts together with its whole /64 and no other, however it is written', () => {
    const network = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 1, max: 0xffff })));
    fc.assert(
      fc.property(network, fc.ipV6(), (groups, any) => {
        const prefix = groups.map((group) => group.toString(16)).join(':');
        expect(groupOf(`${prefix}::1`).key).toBe(groupOf(`${prefix}:ffff:1:2:3`).key);
        expect(groupOf(`${prefix}::1`).key).toBe(`${prefix}::/64`);
        // Every address that Node accepts is one here.
        if (isIP(any) === 6) expect(groupOf(any).key).toMatch(/::\/64$|^\d+\.\d+\.\d+\.\d+$/);
      }),
    );
  });
});
