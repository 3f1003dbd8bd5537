// The 24 articles that the first migration puts into the catalogue.

const article = (sku, name, price_cents, stock, description) => ({ sku, name, description, price_cents, stock });

export const articles = [
  article('MUG-01', 'Blue mug', 1250, 120, 'Stoneware, 300 ml, made for dishwashers.'),
  article('MUG-02', 'Green mug', 1250, 80, 'Stoneware, 300 ml, with a wide handle.'),
  article('CUP-01', 'Espresso cup', 850, 200, 'Porcelain, 80 ml, thick walls that keep the heat.'),
  article('POT-01', 'Teapot', 3490, 40, 'Cast iron with a sieve, for one litre.'),
  article('BWL-01', 'Cereal bowl', 990, 150, 'Stoneware, 500 ml, to be stacked.'),
  article('PLT-01', 'Dinner plate', 1490, 160, 'Stoneware, 27 cm, with a raised edge.'),
  article('JUG-01', 'Water jug', 2290, 60, 'Glass, 1.2 litres, with a lid of cork.'),
  article('GLS-01', 'Tumbler', 690, 300, 'Tempered glass, 250 ml.'),
  article('BRD-01', 'Bread board', 2790, 45, 'Beech, oiled, with a groove for crumbs.'),
  article('KNF-01', 'Paring knife', 1890, 75, 'Steel blade of 9 cm, handle of walnut.'),
  article('SPN-01', 'Wooden spoon', 590, 220, 'Olive wood, 30 cm.'),
  article('TWL-01', 'Tea towel', 790, 180, 'Linen and cotton, 50 by 70 cm.'),
  article('APR-01', 'Apron', 2490, 50, 'Heavy cotton with two pockets.'),
  article('CND-01', 'Candle', 1190, 140, 'Beeswax, burns for forty hours.'),
  article('LMP-01', 'Table lamp', 5990, 25, 'Oak and paper, with a switch on the cord.'),
  article('CLK-01', 'Wall clock', 4490, 30, 'Ash wood, 25 cm, runs without a sound.'),
  article('VAS-01', 'Vase', 2990, 35, 'Hand-blown glass, 22 cm.'),
  article('BSK-01', 'Basket', 1990, 65, 'Woven willow, for bread or fruit.'),
  article('CSH-01', 'Cushion', 2690, 55, 'Wool cover, 45 by 45 cm, to be washed.'),
  article('BLK-01', 'Blanket', 6990, 20, 'Merino wool, 130 by 180 cm.'),
  article('NTB-01', 'Notebook', 1090, 250, '120 ruled pages, thread-bound.'),
  article('PEN-01', 'Pencil set', 890, 210, 'Six pencils of cedar, from 2H to 4B.'),
  article('BAG-01', 'Shopping bag', 1590, 190, 'Canvas, carries fifteen kilograms.'),
  article('UMB-01', 'Umbrella', 3290, 70, 'Eight ribs, opens against the wind.'),
];
