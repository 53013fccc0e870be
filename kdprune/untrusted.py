"""What may be said of a network, in params.yaml or by a file from anywhere: names and arguments.

timm's constructors take more than the shape of a network: where weights are fetched from and
unpickled, caches, devices. A file is data, so an argument is taken only if it is known to describe
a shape, and its value only if it is a plain and small one.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from kdprune.errors import nearest
from kdprune.terminal import printable

NAME = r"^[a-z0-9][a-z0-9_]*$"
LONGEST = 40  # characters of a name
TIMM = r"^[a-z0-9][a-zA-Z0-9_]*(\.[a-zA-Z0-9_]+)?$"  # resnet18, resnet10t.c3_in1k
MOST = 100_000  # of a number, and of the sum of a list
PIXELS = 1024  # of what grows with its square: images, windows, kernels
SQUARED = re.compile("(img|window|patch|kernel|pool|grid|pos|mask|merge|msfa|ref|stem).*size.*")
DEPTH, VALUES = 3, 500  # of nested lists, and of all values in one argument
WORD = r"[A-Za-z0-9_]{1,40}"  # no dot, colon or slash: neither a path nor an address
FORBIDDEN = re.compile(
    "pretrained.*|checkpoint.*|cache_dir|features_only|feature_c.*|device|dtype|scriptable|"
    "exportable|no_jit|num_classes|pruned|kwargs_filter|model_cfg|.*(url|path|file|hub|dir)"
)
CONTAINERS = 200_000  # lists and mappings of one JSON text: two bytes of it may take 90 in memory
# The arguments of timm's network classes that plain values describe
ARGUMENTS = frozenset(
    """
aa_layer aa_stem_only abs_win_pos_embed act_layer always_partition attn attn_act_layer
attn_drop_rate attn_groups attn_head_dim_reduction attn_mlp attn_mlp_ratio attn_only_layer_scale
attn_pool_mlp_ratio attn_pool_num_heads attn_ratio attn_stage attn_type attn_types attn_upsample
aux_logits avg_down b base_dim base_dims base_width basic bias bidirectional block_config
block_reduce_first bn_size bottle_ratio bottleneck_width_ratio cardinality ch_div
channel_attention channel_attn_v2 channel_divisor channel_multiplier channels class_token
cls_attn_layers cls_ratio conv_bias conv_init conv_mlp conv_ratio cpe_act crop_scale crpe_window
d2_scales deepen_factor depth depth_list depth_mult depth_multiplier depth_token_only depths dim
dim_mul dims distillation distilled down_kernel_size down_pad down_patch_size down_stride
downsample downsample_block downsample_expand_ratios downsample_kernel_size downsample_padding
downsample_ratio downsamples drop drop_block_rate drop_block_size drop_path_rate drop_rate dropout
dw_act_layer dynamic_img_pad dynamic_img_size embed_dim embed_dims encoder_pool eta expand_groups
expand_ratio expansion_ratio extra_norm_period extra_norm_stage fc_act_layer fc_norm feature_dim
feature_location ffn ffn_ratio final_chs final_norm first_stride fix_init fix_stem focal_levels
focal_windows fork_feat fused_conv fused_downsample global_att_blocks global_attn_indexes
global_block_counts global_pool global_pos_size group group_size groups growth_rate growth_rates
head head_bias head_dim head_fn head_hidden_size head_init_scale head_mul head_norm
head_norm_first head_widths heads hidden_size hidden_sizes img_scale img_size in_channels in_chans
in_features inc_sec inference_mode init_channels init_values initial_chs inner_dim inplanes
input_3x3 intermediate_size is_downsample_block k_r k_sec kernel_size kernel_sizes kernels key_dim
layer_scale layer_scale_init_value layer_scale_init_values layers layerscale_value legacy levels
linear lkc_use_act local_conv_size local_mbconv_norm local_up_to_layer locality_strength
ls_init_value mask_unit_attn mask_unit_size mbconv_expand_ratio memory_efficient merge_size
mix_block_ratio mlp_bias mlp_ratio mlp_ratio_token_only mlp_ratios msfa_indices
msfa_output_resolution multi_conv n_div neck_chans nlhb no_embed_class norm_eps norm_layer
norm_layer_cl normalize_modulator num_blocks num_blocks_list num_features num_heads
num_heads_inner num_heads_outer num_init_features num_kv_heads num_levels num_reg_tokens
num_rnn_layers num_vit out_features outlook_attention output_stride pad_type
parallel_depth partial_dim patch_drop_rate patch_kernel patch_norm patch_padding patch_size
patch_sizes patch_stride pconv_fw_type pool_include_prefix pool_size pool_type pooling_kernel_size
pooling_scale pos_drop_rate pos_embed pos_embed_grid_size pos_embs position_embedding_size
post_layers pre_norm preact proj_bias proj_drop_rate q_pool q_stride qk_dim qk_norm qkv_bias
qkv_fused reduction ref_feat_shape reg_tokens rel_pos_dim rel_pos_type reparam replace_stem_pool
repmixer_kernel_size res_scale_init_values return_interm_layers rope_grid_indexing
rope_grid_offset rope_jitter_coords rope_mrope_section rope_rescale_coords rope_rotate_half
rope_shift_coords rope_temperature rope_theta rope_type scale scale_attn_inner scale_attn_norm
scale_mlp scale_mlp_norm se_downsamples se_from_exp se_ratio sep_pos_embed sequential_attn
serial_depths shared_rel_pos shortcut_root small small_kernels spatial_conv sr_ratios ssd_expand
stages standardize state_dim stem_bias stem_chs stem_expand_ratio stem_hidden_dim stem_kernel_size
stem_mid_norm stem_norm stem_size stem_stride stem_type stem_use_scale_branch stem_width
strict_img_size stride strides swiglu_align_to swiglu_mlp token_mixers tokens_norm
transformer_depths transition_compression_ratio types union use_abs_pos use_abs_pos_emb
use_aux_head use_checkpoint use_clipped_linears use_conv use_expand_proj use_fc_norm use_grn
use_lab use_layer_scale use_mix_token use_mlp_head use_msfa use_overlap_down use_pos_emb
use_pos_embed use_post_norm use_post_norm_in_modulation use_post_transformer_norm
use_pre_transformer_norm use_rel_pos use_rel_pos_bias use_rope use_rot_pos_emb
use_shared_rel_pos_bias v2 version vit_stem weight_init widen_factor width width_factor width_list
width_mult widths window_ratio window_size window_sizes window_spec with_fc wss zero_init_last
""".split()
)


def parsed(text: str, **how: Any) -> Any:
    """Return what JSON from anywhere holds; `how` is handed to json.loads.

    Raises ValueError for what is none, nests too deep, or has too many lists and mappings.
    """
    if text.count("[") + text.count("{") > CONTAINERS:
        raise ValueError(f"more than {CONTAINERS:,} lists and mappings")
    try:
        return json.loads(text, **how)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def refusal(given: Mapping[Any, Any]) -> str:
    """Say what is wrong with the keyword arguments of a timm network: "NAME: …", or ""."""
    for name, value in given.items():
        told = printable(name)[:60]
        if not isinstance(name, str) or FORBIDDEN.fullmatch(name):
            return (
                f"{told}: is refused, for it says not what a network's shape is, but where it is "
                "loaded from or how it is run; leave it out"
            )
        if name not in ARGUMENTS:
            return f"{told}: is no known argument of a network; {nearest(name, sorted(ARGUMENTS))}"
        if fault := value_fault(value, PIXELS if SQUARED.fullmatch(name) else MOST):
            return f"{told}: {fault}"
    return ""


def value_fault(value: Any, most: float = MOST) -> str:
    """Say what is wrong with a value, "" where it is a plain and small one.

    Plain are numbers, words, true, false, null and lists of these. No absolute number, nor the
    sum of those in it, is above `most`: networks and their lists grow with it.
    """
    left, seen, total = [(value, 0)], 0, 0.0
    while left:
        item, depth = left.pop()
        seen += 1
        if isinstance(item, list | tuple):
            if depth == DEPTH or seen + len(left) + len(item) > VALUES:
                return f"holds more than {VALUES} values, or lists deeper than {DEPTH}"
            left += [(inner, depth + 1) for inner in item]
        elif isinstance(item, str):
            if not re.fullmatch(WORD, item):
                return "must be a word of letters, digits and underscores, no path and no address"
        elif item is not None and not isinstance(item, bool | int | float):
            return "must be a number, a word, true, false, null, or a list of these"
        elif item is not None:
            total += abs(item) if isinstance(item, float) or abs(item) <= most else math.inf
            if not total <= most:
                return f"must be finite numbers, in sum at most {most:,}"
    return ""
