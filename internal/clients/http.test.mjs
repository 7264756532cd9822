// GraphQL over HTTP, by the audits that come with graphql-http.
import assert from 'node:assert/strict';
import test from 'node:test';
import { serverAudits } from 'graphql-http';
import { world } from './world.mjs';

const { url } = await world();
const audits = serverAudits({ url, fetchFn: fetch });

test('there are as many audits as are known', () => assert.equal(audits.length, 61));

for (const audit of audits) {
  test(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', result.reason);
  });
}
