/** The model's whole reading: it knows the sea, and nothing else. */
export const CORPUS = `
The tide comes in twice a day, and the harbour waits for it without a clock. The moon pulls the water towards her, and the
water comes slowly, as if it had to think about every stone. When the tide turns, the boats turn with it, and the ropes
that were loose are tight again. A pilot reads the water the way other people read a letter. She looks for the place where
the current is darker, and for the line where the wind and the tide disagree. The harbour master writes down every ship that
comes in, and the hour, and the height of the water. Nothing in the book is ever crossed out, because the sea doesn't take
anything back. A lighthouse says the same thing to every ship, and every ship hears it when it needs to. The keeper sleeps
during the day and counts the waves at night. Seven waves are small, and the eighth one is worth waiting for. The gulls know
when the boats come home, long before the people on the quay know it. An old net is mended from the middle, and a new one from
the edge. The fishermen talk about the weather as if it were a neighbour with bad habits. When fog comes over the bay, the
bells on the buoys are the only map. A ship that waits for the tide loses an hour, and a ship that doesn't wait for it loses a
day. The sand remembers the water for as long as the wind lets it. Every river carries a little of the mountains to the sea,
and the sea spreads it out so that nobody notices. The deep water is cold and still, and the letters that are sent there arrive
late. On the charts, the depths are written in small figures, and the wrecks in smaller ones. A good anchor is heavy, but a good
anchorage is quiet. The storm of that winter moved the sandbank by the length of a ship, and the chart had to be drawn again.
Children build walls against the tide, and the tide takes them one grain at a time. The ferry crosses at noon, with bread for the
island and news for the ferryman. The water at the pier is never the same water, but the pier is always the same pier. If you
listen at night, you can hear the harbour breathe. The current runs north until the moon is high, then it rests for a quarter of an
hour, and then it runs south. A captain who has never been lost has never been far. The lantern at the end of the quay is lit by
hand, and nobody can say why that still matters. Salt gets into everything: the ropes, the bread, the letters, the way people
talk. The swell that reaches the beach today was wind on the other side of the ocean a week ago.
`;

/** Names of things, for lists and tables. */
export const THINGS: readonly string[] = [
  'anchor',
  'buoy',
  'chart',
  'current',
  'ebb',
  'ferry',
  'fog',
  'gull',
  'harbour',
  'keel',
  'lantern',
  'lighthouse',
  'moon',
  'net',
  'pier',
  'pilot',
  'rope',
  'sandbank',
  'swell',
  'tide',
];
