// The basket: product id → pieces. Pure functions; every change gives a new basket.

export const MOST_PIECES = 99;
export const MOST_ITEMS = 50;

/** With so many pieces of a product, kept between none (it leaves the basket) and 99. */
export function withPieces(basket, product, pieces) {
  const { [product]: before, ...others } = basket;
  const wanted = Math.min(MOST_PIECES, Math.floor(Number(pieces) || 0));
  if (wanted < 1) return others;
  if (before === undefined && Object.keys(others).length >= MOST_ITEMS) return basket;
  return { ...others, [product]: wanted };
}

export const added = (basket, product) => withPieces(basket, product, (basket[product] ?? 0) + 1);

export const count = (basket) => Object.values(basket).reduce((sum, pieces) => sum + pieces, 0);

/** In cents; products that are not in the catalogue any more cost nothing and can't be ordered. */
export const total = (basket, products) =>
  products.reduce((sum, { id, price_cents }) => sum + price_cents * (basket[id] ?? 0), 0);

/** As POST /api/orders takes it: of the products that there are, for it refuses an order of any other. */
export const asItems = (basket, products) =>
  products.filter(({ id }) => basket[id]).map(({ id }) => ({ product_id: id, quantity: basket[id] }));

/** What lay in the browser's storage, as far as it is a basket. */
export function restored(text) {
  try {
    const found = Object.entries(JSON.parse(text) ?? {});
    return found.reduce((basket, [id, pieces]) =>
      (/^[1-9]\d{0,9}$/.test(id) ? withPieces(basket, id, pieces) : basket), {});
  } catch {
    return {};
  }
}
