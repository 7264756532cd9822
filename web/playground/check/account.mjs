// Drives the pages that links in mails lead to in a headless Chromium, on the running server at KYRO_URL: every page, by
// mouse and by keyboard, with each answer that the API may give, of which most are made up here. Anything on the console, any
// violation of the pages' policy, a request to another host and a token in an address are failures. Screenshots go to the
// folder KYRO_SHOTS, if set.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const base = new URL(process.env.KYRO_URL ?? 'http://127.0.0.1:8080');
const shots = process.env.KYRO_SHOTS;
const token = 'A'.repeat(43);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  await confirm();
  await linkThatIsNoGood();
  await newPassword();
  await withoutTokens();
  await withoutScript();
  await look();
  await realServer();
  console.log('the pages of links in mails work: 0 complaints');
} finally {
  await browser.close();
}

// confirm goes by the keyboard alone.
async function confirm() {
  const p = await open('verify-email?from=mail#token=' + token, [accepted('verifyEmail')]);
  expect(p.page.url() === new URL('account/verify-email', base).href, 'the token leaves the address');
  expect(p.sent.length === 0, 'opening the link uses nothing up');
  await p.page.keyboard.press('Tab');
  await p.page.keyboard.press('Enter');
  await p.text('outcome', 'The address is confirmed. You can sign in now.');
  expect(p.sent.length === 1 && p.sent[0].variables.input.token === token, 'the token is sent once');
  expect((await p.page.evaluate(() => document.activeElement.id)) === 'title' && (await p.page.isVisible('#next')), 'it says how to go on');
  expect(!(await p.page.content()).includes(token), 'the page does not hold the token');
  await p.close();
}

async function linkThatIsNoGood() {
  const p = await open('verify-email#token=' + token, [
    refused('verifyEmail', 'INVALID_TOKEN'), refused('requestEmailVerification', 'VALIDATION', 'This is no address.'), accepted('requestEmailVerification'),
  ]);
  await p.page.click('#act [type=submit]');
  await p.page.waitForSelector('#ask:not([hidden])');
  expect((await p.page.textContent('#problem')).startsWith('This link is not good any more'), 'it says what is wrong with the link');
  await p.shot('no-good');
  await p.page.fill('#email', 'ada');
  await p.page.click('#ask [type=submit]');
  await p.text('email-problem', 'This is no address.');
  expect((await p.page.evaluate(() => document.activeElement.id)) === 'email', 'the wrong field has the focus');
  await p.page.fill('#email', 'ada@example.com');
  await p.page.keyboard.press('Enter');
  await p.page.waitForFunction(() => document.getElementById('outcome').textContent.startsWith('If this address is waiting'));
  expect(p.sent[2].variables.input.email === 'ada@example.com' && (await p.page.isHidden('#next')), 'another mail was asked for');
  await p.close();
}

async function newPassword() {
  const p = await open('reset-password#token=' + token, [
    failed('RATE_LIMITED', { retryAfterMs: 240_000 }), failed('INTERNAL'), failed('UNAVAILABLE'),
    refused('resetPassword', 'WEAK_PASSWORD', 'This is a common password.'), accepted('resetPassword'),
  ]);
  const send = () => p.page.click('#act [type=submit]');
  await send();
  await p.text('password-problem', 'Type the new password.');
  await p.page.fill('#password', 'violet anchor mosaic');
  await p.page.fill('#again', 'violet anchor');
  await send();
  await p.text('again-problem', 'The two are not the same.');
  expect(p.sent.length === 0, 'what is typed wrong is not sent');
  await p.page.click('#show');
  expect((await p.page.getAttribute('#again', 'type')) === 'text' && (await p.page.getAttribute('#show', 'aria-pressed')) === 'true', 'the password shows');
  await p.page.fill('#again', 'violet anchor mosaic');
  for (const [where, words] of [
    ['problem', 'That was too often. Try again in 4 minutes.'],
    ['problem', 'Something went wrong. Try again; if it stays so, tell the operator of this server: REQUEST.'],
    ['problem', 'The server cannot do this right now. Try again in a moment.'],
    ['password-problem', 'This is a common password.'],
    ['outcome', 'The password is set. Sign in with it now.'],
  ]) {
    await send();
    await p.text(where, words);
  }
  expect(p.sent.every(({ variables: { input } }) => input.token === token && input.newPassword === 'violet anchor mosaic'), 'the password is sent');
  expect((await p.page.inputValue('#password')) === '', 'the password is forgotten');
  // The link of another mail, in the same tab.
  await p.page.evaluate((fragment) => { location.hash = fragment; }, '#token=' + token);
  await p.page.waitForSelector('#act:not([hidden])');
  expect(!p.page.url().includes('#'), 'the next token leaves the address, too');
  await p.close();
}

async function withoutTokens() {
  for (const [name, part] of [['reset-password', 'ask'], ['verify-email', 'ask'], ['change-email', 'lost'], ['revert-email', 'lost'], ['reactivate', 'lost']]) {
    const p = await open(name, []);
    expect((await p.page.isVisible('#' + part)) && (await p.page.isHidden('#act')), `${name} says what to do without a token`);
    await p.close();
  }
}

async function withoutScript() {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(new URL('account/reset-password', base).href);
  expect((await page.textContent('noscript')).includes('JavaScript is switched off') && (await page.isHidden('#act')), 'it says that it needs JavaScript');
  await context.close();
}

async function look() {
  for (const width of [360, 1280]) {
    for (const colorScheme of ['light', 'dark']) {
      const p = await open('reset-password#token=' + token, [refused('resetPassword', 'WEAK_PASSWORD', 'This is a common password: add a few unrelated words.')],
        { viewport: { width, height: 740 }, colorScheme });
      await p.page.fill('#password', 'password1234');
      await p.page.fill('#again', 'password1234');
      await p.page.click('#act [type=submit]');
      await p.page.waitForFunction(() => document.getElementById('password-problem').textContent !== '');
      expect(!(await p.page.evaluate(() => document.documentElement.scrollWidth > innerWidth)), `it fits ${width} pixels`);
      await p.shot(`reset-${width}-${colorScheme}`);
      await p.close();
    }
  }
}

// realServer gets its answer from the server itself.
async function realServer() {
  const p = await open('verify-email#token=' + token, null);
  await p.page.click('#act [type=submit]');
  await p.page.waitForFunction(() => document.getElementById('problem').textContent.startsWith('This link is not good any more'));
  await p.close();
}

function accepted(mutation) {
  return { data: { [mutation]: { accepted: true, errors: [] } } };
}

function refused(mutation, code, message = code) {
  return { data: { [mutation]: { accepted: false, errors: [{ code, message, field: null }] } } };
}

function failed(code, more = {}) {
  return { data: null, errors: [{ message: code, extensions: { code, requestId: 'REQUEST', ...more } }] };
}

// open opens a page, and gives it the answers, one after another; null: the server does.
async function open(path, answers, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  const sent = [];
  page.on('console', (message) => { if (!message.text().startsWith('[DOM]')) complaints.push(message.text()); }); // advice to authors
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== base.host) complaints.push('a request to ' + request.url());
    if (request.url().includes(token) || (request.headers().referer ?? '').includes(token)) complaints.push('a token in an address: ' + request.url());
  });
  if (answers) {
    await page.route('**/graphql', (route) => {
      sent.push(JSON.parse(route.request().postData()));
      return route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify(answers.shift()) });
    });
  }
  await page.goto(new URL('account/' + path, base).href);
  return {
    page, sent,
    text: (id, words) => page.waitForFunction(([id, words]) => document.getElementById(id).textContent === words, [id, words]),
    async shot(name) {
      if (!shots) return;
      await mkdir(shots, { recursive: true });
      await page.screenshot({ path: join(shots, `account-${name}.png`) });
    },
    async close() {
      expect(complaints.length === 0, `nothing complains, but: ${complaints.join('; ')}`);
      await context.close();
    },
  };
}

function expect(right, what) {
  if (!right) throw new Error(`not so: ${what}`);
}
