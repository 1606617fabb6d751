"""What M3D leaves open, and what stands in its place, each a field of the recipe."""

NOTES = """What the paper leaves open, and what stands here, each a field of the recipe:
eq. 7, whose printed sums share two layers: layers 1-4, 5-8, 9-12. The release begins with the embeddings and leaves the
last layer out (encode.as_released). Words are the largest value of their tokens, as in the release. The weights of the
text's attention have no dropout but in `paper` (ours): those of thousands of tokens are never held, which is faster.
eq. 8: a VAE in `paper`, without KL, which eq. 24 does not have; elsewhere an auto-encoder, as released.
eq. 9, 10: no layer norms in `paper`, as printed; elsewhere after each residual, as released (fuse.residual_norm).
eq. 12: the mean over patches, as printed; the release sums them. H^p is not described: in `paper` the release's table,
zero at the start (fuse.frame_table); elsewhere a map of the frame's sine code, for any number of frames.
eq. 13, 14: kernel 3, for the locality that the text speaks of; the release has 1. Prompt length 64 and latent width 64
are the release's. Its shipped setting never runs this module. In training no modality is hidden but those that the
corpus lacks (complete.modality_dropout); in `small` a part is, so that both ways are learnt at every missing ratio.
eq. 16, 17: W is printed too small for a Kronecker product: bilinear forms. A chain is the mean of its mentions; in the
release mentions vote. `paper` has a softmax with one label a pair (eq. 21). Elsewhere several relations may hold for
one pair, each with a probability of its own, and types that do not fit a label's prefix are never predicted; where the
files store the ends the other way round, the reader turned them. Vectors are normed first, but in `paper`, which also
starts the form of chains as any other (similarity_init=0). Dropout, which the paper does not name, is that of a pair's
scores in `paper`, as released, elsewhere of the vectors (dropout_of). Labels without a direction are learnt both ways.
The paper closes links into chains, where one wrong link joins two; elsewhere each mention is linked to its likeliest
earlier one alone: on dev of Diorama chains 89.7 -> 91.4, own relations told by frames 59.4 -> 66.7.
Between chains of its own the system weighs a label by how sure it is of the types (links.joint, ours; off in `paper`).
eq. 18 has one class and one box a frame, where eq. 4 has several and the text maps frames by linear layers first: in
`paper` that layer makes slots, as released, trained in the order of the files, with eq. 23's L1 alone; elsewhere a set
of boxes by Hungarian matching, which look at the frame's patches. There a region names its chain, too, which the paper
does not ask for.
eq. 19 is a cross-entropy where eq. 15 is a CRF: the CRF's likelihood, in `paper` over n_x words as printed. `improved`
takes it of a document, as CRF libraries sum it: per word it drowns in the other losses (M3D's English, MiniLM, one
epoch, entities on dev: 77.0 and 31.1). `small` per word, which does better there (72.9 and 62.9 on dev). eq. 24: all
weights 1, and in `small`, where the gradient that the links of regions to chains send into the fusion is twenty times
that of the tags, 10, 5 and 20 for tags, chains and relations.
Training as released: 20 epochs, batch 1, AdamW at 5e-6 for both towers and 1e-3 for all else, no warm-up, linear decay,
the gradient's norm clipped at 5, no weight decay, seed 1898 (the trainer's: --seed 1898). Selection on dev by the mean
of four F1s, the paper's Avg., chains and relations among gold candidates; the release's mean of six, in which chains
count three times, is training.selection_metric=released, the system's own candidates are training.selection_metric=own.
The protocol of tables III and IV (section VI-C) is no recipe but a corpus: m3d:DIR?lang=en&protocol=paper, and
diorama:documents=true,protocol=paper, take the text from a third and the frames from another third of all documents, of
all splits; gold of what is taken goes with it. The published numbers are means of three results (--seeds 3). So is the
missing ratio of figure 9, missing=0.5: --sweep missing, and "missing, w/o MMCM", sweep it. With nothing missing MMCM
never runs, and `w/o MMCM` is the same system.
`released DFFM and heads` has the release's groups of layers, DFFM (norms, scalars from N(0, 1), the feed-forward layer
after the text, its dropouts), votes, dropout of scores and L1 over empty slots; not its two readings of the text, its
pairs of mentions with one label for both directions, nor its slips.
One-stream and two-stream of table III are not described beyond two sentences; VideoMAE and ViViT are read in clips of
as many frames as they were made for, a last clip that is short by repeating its last frame.
Queries, keys and values of eq. 9 are normed first but in `paper` (ours): so each of two words learns to read
its own half of a frame in half the steps.
When a sentence is said and a frame seen the paper does not use. In `small` the attention of eq. 9 heeds it
(fuse.time_decay, ours): there a sentence's frame is told by its time, or by the colour of its flag alone.
Text encoders that start at random get a convolution over seven words (encode.conv_width, ours; not in `paper`), see
`Neighbours`.
`small`: `tiny` towers, Chinese by `characters`, whose vocabulary training makes; a rate of 1e-3, batch 8, 12 epochs; in
`improved`, for real files, of which there are few, batch 2 and 20 epochs. MiniLM: 5e-5, the CRF's own scores 1e-2, all
else at 1e-3, batch 1, 10 epochs. A corpus without regions is read without frames, unless vision=NAME asks for them.
"""
