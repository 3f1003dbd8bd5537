import { useRef, useState } from 'react';

import { newKey, order } from './api.js';
import { asItems, MOST_PIECES, total } from './basket.js';
import { money } from './money.js';

/** What is in the basket, and the button that orders it. */
export function Basket({ basket, products, session, onPieces, onOrdered, onLost }) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState('');
  // The key belongs to what is ordered: another basket is another order.
  const sent = useRef({});
  const lines = products.filter(({ id }) => basket[id]);

  async function send() {
    const items = asItems(basket, products);
    const what = JSON.stringify(items);
    if (sent.current.what !== what) sent.current = { what, key: newKey() };
    setBusy(true);
    setTrouble('');
    try {
      await order(items, session.token, sent.current.key);
      onOrdered();
    } catch (error) {
      if (error.code === 401) onLost();
      setTrouble(error.message);
    } finally {
      setBusy(false);
    }
  }

  if (!lines.length) return <p>The basket is empty. <a href="#/">Look around in the shop.</a></p>;
  return (
    <>
      <table>
        <caption>What you want to order</caption>
        <thead>
          <tr><th scope="col">Product</th><th scope="col">Pieces</th><th scope="col">Price</th><td /></tr>
        </thead>
        <tbody>
          {lines.map(({ id, name, price_cents }) => (
            <tr key={id}>
              <th scope="row">{name}</th>
              <td>
                <input
                  type="number" min="1" max={MOST_PIECES} aria-label={`Pieces of ${name}`}
                  value={basket[id]} disabled={busy}
                  onChange={(event) => event.target.value && onPieces(id, event.target.value)}
                />
              </td>
              <td>{money(price_cents * basket[id])}</td>
              <td><button className="plain" disabled={busy} onClick={() => onPieces(id, 0)} aria-label={`Remove ${name}`}>Remove</button></td>
            </tr>
          ))}
        </tbody>
        <tfoot><tr><th scope="row" colSpan={2}>Total</th><td>{money(total(basket, products))}</td><td /></tr></tfoot>
      </table>
      {trouble && <p role="alert" className="trouble">{trouble}</p>}
      {session
        ? <button onClick={send} disabled={busy} aria-busy={busy}>{busy ? 'Ordering …' : 'Order now'}</button>
        : <p>To order, <a href="#/account">sign up or log in</a>.</p>}
    </>
  );
}
