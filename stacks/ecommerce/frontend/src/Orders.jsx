import { useEffect, useState } from 'react';

import { call } from './api.js';
import { money } from './money.js';

const AGAIN_MS = 2000;
const SAID = { accepted: 'Accepted', processed: 'Processed' };

/** The visitor's orders, newest first; looked up again until all of them are processed. */
export function Orders({ products, session, onLost }) {
  const [orders, setOrders] = useState(null);
  const [trouble, setTrouble] = useState('');
  const token = session?.token;

  useEffect(() => {
    if (!token) return undefined;
    let timer;
    let gone = false;
    async function look() {
      let settled = false;
      try {
        const found = (await call('GET', '/orders', { token })).orders;
        if (gone) return;
        setOrders(found);
        setTrouble('');
        settled = found.every(({ status }) => status === 'processed');
      } catch (error) {
        if (gone) return;
        if (error.code === 401) onLost();
        setTrouble(error.message);
      }
      if (!settled) timer = setTimeout(look, AGAIN_MS);
    }
    look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [token]);

  if (!session) return <p>To see your orders, <a href="#/account">log in</a>.</p>;
  const names = Object.fromEntries(products.map(({ id, name }) => [id, name]));
  return (
    <>
      {trouble && <p role="alert" className="trouble">{trouble}</p>}
      {!orders && !trouble && <p aria-busy="true">Loading your orders …</p>}
      {orders?.length === 0 && <p>You have not ordered anything yet.</p>}
      <ol className="orders">
        {orders?.map((order) => (
          <li key={order.id}>
            <h2>
              {new Date(order.created_at).toLocaleString('en')}
              <span className={`status ${order.status}`}>{SAID[order.status] ?? order.status}</span>
            </h2>
            <p className="id">Order {order.id}</p>
            <ul>
              {order.items.map(({ product_id, quantity, price_cents }) => (
                <li key={product_id}>{quantity} × {names[product_id] ?? `Product ${product_id}`}, {money(price_cents)} each</li>
              ))}
            </ul>
            <p className="price">Total {money(order.total_cents)}</p>
          </li>
        ))}
      </ol>
    </>
  );
}
