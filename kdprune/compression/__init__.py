"""Deep Compression: a pruned network as a small file, written and read back bit for bit.

Han, Mao and Dally, "Deep Compression", ICLR 2016, arXiv:1510.00149: shared values (`sharing`),
relative indices (`gaps`), Huffman codes (`huffman`); one tensor (`tensors`), one file (`files`).
"""
