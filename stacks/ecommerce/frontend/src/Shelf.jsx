import { money } from './money.js';

/** All products, each with a button that puts it into the basket. */
export function Shelf({ products, trouble, basket, onAdd }) {
  if (!products) return trouble ? null : <p aria-busy="true">Loading the products …</p>;
  return (
    <ul className="shelf">
      {products.map((product) => (
        <li key={product.id}>
          <article aria-labelledby={`product-${product.id}`}>
            <div className="picture" aria-hidden="true" style={{ '--hue': (product.id * 47) % 360 }}>
              {product.name[0]}
            </div>
            <h2 id={`product-${product.id}`}>{product.name}</h2>
            <p>{product.description}</p>
            <p className="price">{money(product.price_cents)}</p>
            <button onClick={() => onAdd(product)} aria-describedby={`product-${product.id}`}>
              Add to basket{basket[product.id] ? ` (${basket[product.id]})` : ''}
            </button>
          </article>
        </li>
      ))}
    </ul>
  );
}
