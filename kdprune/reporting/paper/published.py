"""The printed figures of Malihi & Heidemann 2024, as data.

"Matching the Ideal Pruning Method with Knowledge Distillation for Optimal Compression", Applied
System Innovation 7(4), 56. Parameters in units of 1e7, accuracies in percent.

Where the tables contradict themselves: three cells of Table 1 and two of Table 2 carry an error
(such as "±0.5", "±0.75"), left out here; ResNet101's accuracy is printed as 54.07 and 54.7, and
that of ResNet18 distilled for CIFAR-10 as 80.56 and 80.65; the parameter counts
are those of 1000-class networks for both data sets; breakpoints do not lie on the announced 10 %
grid.
"""

import io

import pandas as pd

BREAKPOINTS = """
dataset,teacher,student,method,teacher_accuracy,distilled_accuracy,teacher_params_1e7,student_params_1e7,teacher_breakpoint_accuracy,student_breakpoint_accuracy,teacher_breakpoint_params_1e7,student_breakpoint_params_1e7
cifar100,resnet101,resnet50,weight,54.07,59.12,4.45,2.56,54.34,58.92,0.91,0.5
cifar100,resnet152,resnet34,weight,52.2,51.3,6.02,2.13,47.48,53.47,1.1,0.37
cifar100,resnet101,resnet18,weight,54.07,55.6,4.45,1.17,53.15,55.25,0.91,0.32
cifar100,densenet169,mobilenetv1,weight,57.2,52.1,1.42,0.42,57.95,55.1,0.35,0.18
cifar100,densenet161,densenet169,weight,58.2,56.45,2.68,1.42,57.71,57.61,0.5,0.29
cifar100,densenet161,densenet201,weight,58.2,54.78,2.68,2,58.94,55.23,0.52,0.41
cifar100,efficientnet_b1,efficientnet_b0,weight,59.2,57.1,0.78,0.56,60.17,58.63,0.39,0.27
cifar100,efficientnet_b3,efficientnet_b2,weight,58.1,55.87,1.22,0.91,60,55.91,0.6,0.42
cifar100,efficientnet_b3,mobilenetv1,weight,58.1,52.07,1.22,0.42,60,54.8,0.55,0.15
cifar100,efficientnet_b5,efficientnet_b4,weight,59.5,59.4,3.04,1.93,60.06,59.8,1.42,0.8
cifar100,resnet101,resnet50,channel,54.07,59.12,4.45,2.56,54.07,56.78,3.5,2.1
cifar100,resnet152,resnet34,channel,52.2,51.3,6.02,2.13,52.2,50.7,2.7,1.8
cifar100,resnet101,resnet18,channel,54.7,55.6,4.45,1.17,54.1,53.78,3.5,0.8
cifar100,densenet169,mobilenetv1,channel,57.2,52.1,1.42,0.42,57.2,52.89,1.19,0.35
cifar100,densenet161,densenet169,channel,58.2,56.45,2.68,1.42,57.87,56.89,1.5,1.1
cifar100,densenet161,densenet201,channel,58.2,54.78,2.68,2,57.87,53.67,1.5,1.7
cifar100,efficientnet_b1,efficientnet_b0,channel,59.2,57.1,0.78,0.56,54.1,55,0.65,0.45
cifar100,efficientnet_b3,efficientnet_b2,channel,58.1,55.87,1.22,0.91,56.2,55.87,1,0.75
cifar100,efficientnet_b3,mobilenetv1,channel,58.1,52.07,1.22,0.42,58.1,51.98,1,0.27
cifar100,efficientnet_b5,efficientnet_b4,channel,59.5,59.4,3.04,1.93,56.2,56.98,2.5,1.6
cifar10,resnet101,resnet50,weight,81.1,81.7,4.45,2.56,82.7,83.51,0.91,0.6
cifar10,resnet152,resnet34,weight,83.3,80.1,6.02,2.13,83.15,80.71,1.1,0.51
cifar10,resnet101,resnet18,weight,81.7,80.56,4.45,1.17,83.32,80.78,0.91,0.34
cifar10,densenet169,mobilenetv1,weight,83.15,78.2,1.42,0.42,83.53,82.93,0.25,0.16
cifar10,densenet161,densenet169,weight,83.07,82.76,2.68,1.42,82.86,83.02,0.38,0.2
cifar10,densenet161,densenet201,weight,83.07,82.33,2.68,2,83.53,83.02,0.58,0.41
cifar10,efficientnet_b1,efficientnet_b0,weight,81.1,80.2,0.78,0.56,81.62,80.74,0.37,0.27
cifar10,efficientnet_b3,efficientnet_b2,weight,80.5,81.14,1.22,0.91,80.52,81.15,0.47,0.27
cifar10,efficientnet_b3,mobilenetv1,weight,80.5,80.2,1.22,0.42,80.12,80.13,0.22,0.18
cifar10,efficientnet_b5,efficientnet_b4,weight,83.4,83.3,3.04,1.93,83.1,83.78,1.4,0.8
cifar10,resnet101,resnet50,channel,81.1,81.7,4.45,2.56,80.2,81.7,2.1,2
cifar10,resnet152,resnet34,channel,83.3,80.1,6.02,2.13,80.1,80,3,1
cifar10,resnet101,resnet18,channel,81.7,80.65,4.45,1.17,80.2,79.56,2.1,0.6
cifar10,densenet169,mobilenetv1,channel,83.15,78.2,1.42,0.42,79.12,80,0.73,0.33
cifar10,densenet161,densenet169,channel,83.07,82.76,2.68,1.42,82.45,81.3,1.5,0.75
cifar10,densenet161,densenet201,channel,83.07,82.33,2.68,2,82.45,82.33,1.5,1.58
cifar10,efficientnet_b1,efficientnet_b0,channel,81.1,80.2,0.78,0.56,80.1,80.3,0.67,0.43
cifar10,efficientnet_b3,efficientnet_b2,channel,80.5,81.14,1.22,0.91,80.65,79.1,1,0.75
cifar10,efficientnet_b3,mobilenetv1,channel,80.5,80.2,1.22,0.42,80.5,80.2,1,0.27
cifar10,efficientnet_b5,efficientnet_b4,channel,83.4,83.3,3.04,1.93,83.4,83.3,2.5,1.6
"""  # Tables 1 (CIFAR-100) and 2 (CIFAR-10)

COMPARISON = """
compression,reference,resnet101,resnet152,densenet169,densenet161,efficientnet_b1,efficientnet_b3,efficientnet_b5
channel pruning (paper),this paper,0.8,1.8,0.35,1.1,0.45,0.27,1.6
weight pruning (paper),[1],0.32,0.37,0.18,0.29,0.27,0.15,0.8
KD,[2] Hinton et al. 2015,1.87,2.42,0.41,1.95,0.52,0.43,1.92
SemCKD,[10] Chen et al. 2021,1.12,2.1,0.36,1.76,0.51,0.38,1.81
SimKD,[11] Chen et al. 2022,2.23,1.2,0.68,1.52,0.58,1,2.4
magnitude pruning,[13] Han et al. 2015,3.5,2.8,0.71,1.43,0.65,1.1,2.51
AOFP,[17] Ding et al. 2019,0.81,1.15,0.37,1.09,0.25,0.3,1.54
PQK,[21] Kim et al. 2021,0.74,0.83,0.32,0.85,0.43,0.21,1.67
"""  # Table 3, parameters at what each method calls its breakpoint

TTESTS = """
dataset,t,p,df
cifar10,-5.6,0.00033,9
cifar100,-7.06,5.9e-05,9
"""  # Section 5: channel minus weight


def breakpoints() -> pd.DataFrame:
    """Return Tables 1 and 2: one row per data set, pair and pruning method."""
    return pd.read_csv(io.StringIO(BREAKPOINTS))


def comparison() -> pd.DataFrame:
    """Return Table 3: one row per method, one column per teacher."""
    return pd.read_csv(io.StringIO(COMPARISON))


def ttests() -> pd.DataFrame:
    """Return the paired tests as printed. `efficiencies` leads to other values."""
    return pd.read_csv(io.StringIO(TTESTS))


def efficiencies() -> pd.DataFrame:
    """Return each student's efficiency at its breakpoint, recomputed from Tables 1 and 2.

    Columns as in kdprune.analysis.efficiency, as far as the paper has them: percent per 1e7
    parameters.
    """
    table = breakpoints()
    accuracy, params = table.student_breakpoint_accuracy, table.student_breakpoint_params_1e7
    return pd.DataFrame(
        {
            "dataset": table.dataset,
            "role": "student",
            "teacher": table.teacher,
            "student": table.student,
            "distill": "simkd",
            "condition": table.method,
            "accuracy": accuracy,
            "params": params * 1e7,
            "efficiency": accuracy / params,
        }
    )
