"""Words of the page on real-mini that no number decides."""

HEAD = """# real-mini: small real data

`python studies/real_mini_page.py RUN docs/results` wrote this page from the cells of
`armillary bench run --suite real-mini --model copernicus-fm-nano --protocol official`. What is asked, of whom, and how
it is split: [real-mini](../real-mini.md). How scores are computed: [Scores](../scores.md). Frozen features, logistic or
ridge regression chosen on validation items; nothing is fine-tuned. {answered} answered cells, {failed} that say why
there is no answer; {minutes} minutes of learning and asking on one core, features not counted. Weights {weights};
{revision}; {machine}.

A score is the mean over folds and three seeds. *constant*: the most frequent class, or the mean. *pixels*: statistics
of raw pixels with gradient-boosted trees. *place-time*: longitude, latitude and date alone, with the same trees.
*random weights*, or `@random`: the same encoder untrained, with the same regression. *told*: the encoder is given
place, time and area of a token where they are known."""

SAW = """## What pretraining saw

Read the numbers with this. The weights were trained on the pixels (never a flood mask) of OMBRIA's groups but g2 and of
Sen1Floods11's countries but Spain, so five of six OMBRIA folds, and all folds of Sen1Floods11 but for Spain, ask about
pixels that pretraining saw. Of s2-weak, the tiles that are asked were held out; of the tiles that teach, pretraining
was told the weak labels themselves, which no baseline was before the probe. BigEarthNet's tile 29SND was held out, the
others were not. eurosat-ms, and all tables of points and coordinates, were never seen; decisions about training looked
at one half of eurosat-ms and at s2-weak ([frozen features](features.md))."""

NOT_RUN = """## What was left out of this run

- OMBRIA: all labels and one seed alone, which draws the pixels that teach: maps of 694 places are the dearest of the
  suite.
- The cells were answered while the program still changed: later, dense regression took no more pixels of an item than
  four per point of its map of features, and found the same answers by a shorter way.
- Shares of the labels: where there is no table above, only all labels were asked. A share holds at least one item of
  each class: 1, 5 and 10 % of eurosat-ms are one each.
- Fewer dense probes: only logistic regression per pixel; no convolutional head, no UPerNet, no fine-tuning.
- The protocol `blocks`: the suite's own splits already hold out whole blocks of land.
- Nearest neighbours only with all labels, and not for maps, which that probe does not answer.
- majortom_cell: its only cloud mask is 0 in every pixel, so there is nothing to ask."""

BELOW = """## How to read it

Folds that hold one group (OMBRIA) or two countries (Sen1Floods11) have no interval of their own worth the name; there
the interval is Student's t over six or three folds, which is wide. *undecided* says that the data are too few, not that
the two are equal. Four BigEarthNet patches teach and two are asked: that shows that the task runs, and no more.
Single pixels as flat patches (cropland, fuel, algae) and empty patches (coordinates) are far from what the encoder was
trained on, and the mean over dates leaves the season out; trees on the same raw values are the fair rival there."""

GAINS = """Above 0 the model is better, whichever way the measure counts. Intervals: 95 %, paired, whole groups drawn;
bold where 0 lies outside."""

EXPLAINED = """R² of the values, on the same cells: what is explained of the spread among the asked items;
their own mean has 0."""

ANSWERED = """Sen1Floods11, two countries that did not teach: radar as seen, truth by hand, and what a logistic
regression on frozen features answered. Grey: unknown."""

COMES_TO = """**What it comes to.** On sets of pixels with all labels, the model and gradient-boosted trees on raw pixel
statistics cannot be told apart by these data; where the trees lose (fuel-s1) they lose to the mean as well. It
is far better than its untrained twin where there is texture to see (eurosat-ms, s2-weak), hardly so on maps of
floods, and no better on single pixels shown as flat patches, where the twin is even ahead of it at times. Its
gain is with few labels: with one label per class on eurosat-ms, which it never saw, it is right more than twice
as often as the trees; with 1 % of s2-weak too, but of these tiles pretraining was told the labels. What it
knows of a place (forest, temperature) is more than nothing and more than its untrained twin's, and much less
than trees on longitude and latitude alone find out. Being told place and time changes nothing that could be
told from chance on pixels."""
