import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';

import { Account } from './Account.jsx';
import { call } from './api.js';
import { Basket } from './Basket.jsx';
import { added, count, restored, withPieces } from './basket.js';
import { Orders } from './Orders.jsx';
import { Shelf } from './Shelf.jsx';

const PAGES = { '': 'Shop', basket: 'Basket', orders: 'My orders', account: 'Account' };

const listen = (heard) => {
  window.addEventListener('hashchange', heard);
  return () => window.removeEventListener('hashchange', heard);
};
const whichPage = () => {
  const name = window.location.hash.replace(/^#\/?/, '');
  return name in PAGES ? name : '';
};

/** The page is in the address: the browser's back button works, and each can be linked. */
const usePage = () => useSyncExternalStore(listen, whichPage);

export function App() {
  const page = usePage();
  const [session, setSession] = useState(() => JSON.parse(sessionStorage.getItem('session')));
  const [basket, setBasket] = useState(() => restored(localStorage.getItem('basket')));
  const [products, setProducts] = useState(null);
  const [trouble, setTrouble] = useState('');
  const [told, setTold] = useState('');

  useEffect(() => localStorage.setItem('basket', JSON.stringify(basket)), [basket]);
  useEffect(() => sessionStorage.setItem('session', JSON.stringify(session)), [session]);
  useEffect(() => {
    document.title = `${PAGES[page]} – Corner Shop`;
    setTold('');
  }, [page]);

  const load = useCallback(() => {
    setTrouble('');
    call('GET', '/products?limit=100').then(
      (answer) => setProducts(answer.products),
      (error) => setTrouble(error.message),
    );
  }, []);
  useEffect(load, [load]);

  const add = ({ id, name }) => {
    setBasket((before) => added(before, id));
    setTold(`${name} is in the basket.`);
  };
  const leave = () => {
    setSession(null);
    window.location.hash = '#/account';
  };

  return (
    <>
      <a className="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        document.getElementById('main').focus();
      }}>Skip to content</a>
      <header>
        <p className="brand">Corner Shop</p>
        <nav aria-label="Pages">
          {Object.entries(PAGES).map(([name, title]) => (
            <a key={name} href={`#/${name}`} aria-current={page === name ? 'page' : undefined}>
              {title}{name === 'basket' && <span className="count"> ({count(basket)})</span>}
            </a>
          ))}
        </nav>
        {session && <p className="who">{session.name} <button className="plain" onClick={leave}>Log out</button></p>}
      </header>
      <main id="main" tabIndex={-1}>
        <h1>{PAGES[page]}</h1>
        <p role="status" className="told">{told}</p>
        {trouble && <p role="alert" className="trouble">{trouble} <button onClick={load}>Try again</button></p>}
        {page === '' && <Shelf products={products} trouble={trouble} basket={basket} onAdd={add} />}
        {page === 'basket' && (
          <Basket
            basket={basket} products={products ?? []} session={session} onLost={leave}
            onPieces={(id, pieces) => setBasket((before) => withPieces(before, id, pieces))}
            onOrdered={() => {
              setBasket({});
              window.location.hash = '#/orders';
            }}
          />
        )}
        {page === 'orders' && <Orders products={products ?? []} session={session} onLost={leave} />}
        {page === 'account' && <Account session={session} onSession={setSession} onLeave={leave} />}
      </main>
      <footer><p>A shop that is only for trying: nothing is sold.</p></footer>
    </>
  );
}
