// A real PDF to upload, printed by the browser.

const text = `
<h1>Handbook of the Harbour Library</h1>
<h2>Lending</h2>
<p>Every reader may borrow up to twelve books at a time, and each of them for twenty-eight days from the day on which it was taken
home, Sundays and public holidays included, unless another reader has reserved it. A loan can be renewed twice at the desk or by telephone,
which adds fourteen days each time.</p>
<h2>Returns</h2>
<p>Returned books belong in the green box beside the north door, which is emptied every evening at eight, and a book that is found in the box
in the morning counts as returned on the day before. Late returns cost twenty cents a day for each book, but never more than six crowns.</p>
<h2 style="break-before: page">The reading room</h2>
<p>The reading room on the second floor opens at seven in the morning and closes at ten at night on working days, and its forty-two seats
cannot be reserved. Lamps and headphones are lent at the desk against a library card. Food is not allowed, but water in closed bottles is.</p>
<h2>Lost cards</h2>
<p>Whoever loses a library card should tell the desk the same day, because the owner answers for everything that was borrowed with it until then.
A new card costs three crowns and is ready in ten minutes.</p>`;

export const question = 'How long may a reader keep borrowed books, and how can a loan be renewed?';
export const another = 'Where do returned books belong, and what do late returns cost?';

/** A long text about other things: reading it takes long enough to be watched. */
export const ledger = Array.from({ length: 12_000 }, (_, i) => `Crate ${i + 1} of the ${['copper', 'cotton', 'pepper', 'timber'][i % 4]} lot weighs ${100 + (i * 37) % 900} pounds.`).join('\n\n');

/** A page of a few words in a file of six megabytes, to be sent in parts. */
export const guide = `<!doctype html><html lang="en"><title>Guide</title><main><h1>Guide to the lighthouse</h1>
<p>The lighthouse has one hundred and twelve steps. Visitors climb it with a guide, at noon and at four in the afternoon.</p></main>
${`<!-- ${'x'.repeat(60_000)} -->\n`.repeat(100)}</html>`;

/** Prints the handbook. */
export async function handbook(browser) {
  const page = await browser.newPage();
  await page.setContent(`<!doctype html><title>Handbook</title><body style="font: 14px/1.6 serif">${text}`);
  const pdf = await page.pdf({ format: 'A4', margin: { top: '2cm', bottom: '2cm', left: '2cm', right: '2cm' } });
  await page.close();
  return pdf;
}
