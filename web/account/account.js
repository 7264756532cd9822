// What the page of a link in a mail does: it takes the token out of the address, waits for the button, sends one mutation,
// and says what came of it. Opening the link uses nothing up: programs that look at mails open links, too.

const main = document.querySelector('main');
const at = (id) => document.getElementById(id);
const act = at('act');
const ask = at('ask'); // where a new link can be asked for; null elsewhere
const password = at('password'); // null but for a new password
const again = at('again');
const api = new URL('../graphql', location.href);
const patience = 20_000; // milliseconds

let token = '';

addEventListener('hashchange', begin); // the link of another mail, opened in the same tab
begin();

function begin() {
  if (location.hash) {
    token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
    history.replaceState(null, '', location.pathname); // nor does the history keep it
  }
  at('waiting').hidden = true;
  at('next').hidden = true;
  clear();
  say('outcome', '');
  show(token ? act : ask ?? at('lost'));
}

// show leaves one part of the page to be seen; null: none.
function show(part) {
  for (const each of [act, ask, at('lost')]) {
    if (each) each.hidden = each !== part;
  }
}

act.addEventListener('submit', async (event) => {
  event.preventDefault();
  clear();
  const input = { token };
  if (password) {
    if (password.value === '') return blame(password, 'Type the new password.');
    if (password.value !== again.value) return blame(again, 'The two are not the same.');
    input[main.dataset.field] = password.value;
  }
  const wrong = await send(act, main.dataset.document, input);
  if (!wrong) {
    token = '';
    for (const field of [password, again]) if (field) field.value = '';
    return finish(main.dataset.done, true);
  }
  if (wrong.code === 'WEAK_PASSWORD' && password) return blame(password, wrong.message);
  if (wrong.code === 'INVALID_TOKEN') {
    token = '';
    show(ask ?? at('lost'));
  }
  say('problem', words(wrong));
});

ask?.addEventListener('submit', async (event) => {
  event.preventDefault();
  clear();
  const email = at('email');
  const wrong = await send(ask, main.dataset.askDocument, { [main.dataset.askField]: email.value });
  if (!wrong) return finish(main.dataset.askDone, false);
  if (wrong.code === 'VALIDATION') return blame(email, wrong.message);
  say('problem', words(wrong));
});

at('show')?.addEventListener('click', ({ currentTarget: button }) => {
  const visible = password.type === 'password';
  for (const field of [password, again]) field.type = visible ? 'text' : 'password';
  button.textContent = visible ? 'Hide' : 'Show';
  button.setAttribute('aria-pressed', String(visible));
});

// finish says what was done. The title takes the focus, which the button had.
function finish(done, goOn) {
  show(null);
  say('outcome', done);
  at('next').hidden = !goOn;
  at('title').focus();
}

function say(id, text) {
  at(id).textContent = text;
}

function clear() {
  for (const each of document.querySelectorAll('.problem')) each.textContent = '';
  for (const each of document.querySelectorAll('[aria-invalid]')) each.removeAttribute('aria-invalid');
}

function blame(field, text) {
  say(`${field.id}-problem`, text);
  field.setAttribute('aria-invalid', 'true');
  field.focus();
}

// send sends a mutation with its input, and gives the first thing that is wrong: { code, message, wait, request }; null
// where nothing is.
async function send(form, document, input) {
  const button = form.querySelector('[type=submit]');
  if (button.disabled) return { code: 'BUSY' };
  button.disabled = true;
  form.setAttribute('aria-busy', 'true');
  try {
    const response = await fetch(api, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify({ query: document, variables: { input } }),
      credentials: 'omit', cache: 'no-store', referrerPolicy: 'no-referrer', redirect: 'error', signal: AbortSignal.timeout(patience),
    });
    const { data, errors } = await response.json();
    if (errors?.length) {
      const { code, retryAfterMs: wait, requestId: request } = errors[0].extensions ?? {};
      return { code, wait, request, message: errors[0].message };
    }
    return Object.values(data)[0].errors[0] ?? null;
  } catch {
    return { code: 'UNREACHABLE' };
  } finally {
    button.disabled = false;
    form.removeAttribute('aria-busy');
  }
}

// words are for people.
function words({ code, message, wait, request }) {
  switch (code) {
    case 'INVALID_TOKEN':
      return 'This link is not good any more: it was used, it is too old, or there is a newer one. If you have done this before, nothing is left to do.';
    case 'EMAIL_TAKEN':
      return 'Another account has this address by now, so nothing was changed.';
    case 'RATE_LIMITED':
      return `That was too often. Try again in ${pause(wait)}.`;
    case 'UNAVAILABLE':
    case 'TIMEOUT':
      return 'The server cannot do this right now. Try again in a moment.';
    case 'UNREACHABLE':
      return 'The server could not be reached. Look at the connection, and try again.';
    case 'WEAK_PASSWORD':
    case 'VALIDATION':
    case 'CONFLICT':
    case 'FORBIDDEN':
      return message;
    case 'BUSY':
      return '';
    default:
      return `Something went wrong. Try again; if it stays so, tell the operator of this server${request ? `: ${request}` : ''}.`;
  }
}

function pause(milliseconds = 60_000) {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds < 90) return seconds === 1 ? 'a second' : `${seconds} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}
